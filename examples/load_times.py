# How long does it take to load a model? The same one is looked for at an address of the flash, on
# /flash and on the card. On a virtual board, where time passes as on a real one:
#
#     maixfs run --times examples/load_times.py

import utime

import KPU as kpu  # noqa: N811 - as everybody calls it

PLACES = (0x300000, "/flash/model.kmodel", "/sd/model.kmodel")


def measure(place):
    before = utime.ticks_us()
    task = kpu.load(place)
    taken = utime.ticks_diff(utime.ticks_us(), before)
    size = task.model_size()
    kpu.deinit(task)
    return size, taken


for place in PLACES:
    name = place if isinstance(place, str) else hex(place)
    try:
        size, taken = measure(place)
    except ValueError as error:
        print("%-20s %s" % (name, error))
    else:
        print(
            "%-20s %d bytes in %.1f ms, %d KB/s" % (name, size, taken / 1000, size * 1000 / taken)
        )
