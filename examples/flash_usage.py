# What lies on /flash and how much room is left, the largest file first.
# Runs on a board and on a virtual one: maixfs run examples/flash_usage.py
import uos

files = [(entry[3], entry[0]) for entry in uos.ilistdir("/flash")]
files.sort(reverse=True)
for size, name in files:
    print("%8d  %s" % (size, name))

status = uos.statvfs("/flash")
block, blocks, free = status[0], status[2], status[3]
used = 100 - 100 * free // blocks
print("%8d  bytes in %d files" % (sum(size for size, _ in files), len(files)))
print("%8d  bytes free in blocks of %d KiB, %d %% in use" % (block * free, block // 1024, used))
if used > 65:
    # From here on each write makes SPIFFS move what is already there.
    print("more than 65 % in use: writes get slow and wear the flash")
