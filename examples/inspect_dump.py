# What is in a dump, what is wrong with it, and its files in a folder of this computer:
#
#     python3 examples/inspect_dump.py dump.bin files

import sys

import maixfs


def main(dump, folder):
    print(dump, "is", maixfs.identify(dump))
    with maixfs.open(dump) as image:
        for part in image.parts:
            print("  0x%06X  %8d bytes  %s %s" % (part.start, part.size, part.kind, part.detail))
    for finding in maixfs.examine(dump).findings:
        print("%s (%s): %s" % (finding.severity, finding.key, finding.what))
    try:
        written = maixfs.unpack(dump, folder)
    except maixfs.UnpackError as error:
        written = error.written
        print("cannot be read:", *error.lost)
    for record in written:
        print(record.path, record.size, "bytes", record.note)


if __name__ == "__main__":
    main(*sys.argv[1:])
