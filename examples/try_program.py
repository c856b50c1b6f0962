# Run a program on a new virtual board with the files of a folder, and measure what it does with
# the flash: the time that it takes on a real board, and the sectors that it wears.
#
#     python3 examples/try_program.py files board program.py

import sys

import maixfs


def sizes(board):
    return {name: board.uos.stat("/flash/" + name)[6] for name in board.uos.listdir("/flash")}


def main(folder, home, program):
    dump = home + ".bin"
    maixfs.pack(folder, dump, flash_size=16 << 20, force=True)
    maixfs.Board.create(home, from_dump=dump)
    with maixfs.Board.open(home) as board:
        before = sizes(board)
        result = board.run(open(program).read())
        after = sizes(board)
    print("exit code", result.exit_code, "and storage time", result.storage_time)
    for name in sorted(after):
        if after[name] != before.get(name):
            print(name, "had", before.get(name, "no"), "bytes, has", after[name])
    for part in maixfs.diff(dump, home + "/flash.bin").parts:
        print(part.kind, "at", hex(part.start), part.change, "in", part.sectors, "sectors")


if __name__ == "__main__":
    main(*sys.argv[1:])
