"""Pairs of commands that work on one medium at the same time.

Each pair is run three times: together, and one after the other in both orders. Together it has to
end as one of the orders does, or as one command alone where the other was refused. So no update
is lost, and a reader sees the medium before or after the writer, never between.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from image.imageparts import chip, krux
from image.places import FILES, SMALL, make_bare, make_board, make_image
from maixfs.board import insert_card
from maixfs.cards.make import PartitionRequest, new_card
from maixfs.fat import Fat
from maixfs.nor import NorChip, make_driver
from maixfs.sd import FileSectors
from maixfs.spiffs import Geometry, Spiffs

CARD_START = 2048
READERS = ("ls", "cat", "unpack", "hex")


class Medium(NamedTuple):
    """What the commands work on; ``name`` is its path in the working folder."""

    name: str
    prefix: str
    """What stands before the paths of its file system."""
    geometry: Geometry | None
    """Of its SPIFFS, ``None``: its file system is on a card."""
    card: str | None = None


def spiffs(folder: Path) -> Medium:
    make_bare(folder, SMALL)
    return Medium("spiffs.img", "", replace(SMALL, base=0))


def flash(folder: Path) -> Medium:
    make_image(folder, SMALL, 0x100000)
    return Medium("flash.img", "/flash", SMALL)


def board(folder: Path) -> Medium:
    make_board(folder, SMALL, 0x100000)
    return Medium("board", "/flash", SMALL)


def card(folder: Path) -> Medium:
    new_card(folder / "card.img", 8 << 20, [PartitionRequest("rest", 12)])
    with (
        FileSectors.open(folder / "card.img", read_only=False) as device,
        Fat(device, CARD_START) as fat,
    ):
        for name, content in FILES.items():
            path = name.decode()
            fat.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
            fat.write_bytes(path, content)
    return Medium("card.img", "", None, "card.img")


def board_card(folder: Path) -> Medium:
    make_board(folder, SMALL, 0x100000)
    card(folder)
    # In the board's folder, so that a copy of the folder is a board with a card of its own.
    (folder / "card.img").rename(folder / "board" / "sd.img")
    insert_card(folder / "board", folder / "board" / "sd.img")
    return Medium("board", "/sd", None, "board/sd.img")


def kboot(folder: Path) -> Medium:
    (folder / "krux.bin").write_bytes(chip(krux()))
    return Medium("krux.bin", "", None)


MEDIA: dict[str, Callable[[Path], Medium]] = {
    "spiffs": spiffs,
    "flash": flash,
    "board": board,
    "card": card,
    "board-card": board_card,
    "kboot": kboot,
}


def commands(kind: str, medium: Medium) -> dict[str, list[str]]:
    """Return the commands for a medium, by name."""
    place = f"{medium.name}:{medium.prefix}"
    raw = {
        "write": ["flash", "write", "-f", medium.name, "0x8000", "small"],
        "write2": ["flash", "write", "-f", medium.name, "0x9000", "tree/inner/two"],
        "erase": ["flash", "erase", "-f", medium.name, "0x9000", "0x1000"],
        "hex": ["hex", medium.name, "0x8000", "-n", "0x2000"],
    }
    if kind == "kboot":
        entries = {
            f"kboot{number}": ["kboot", "set", "-f", medium.name, str(number), "--name", name]
            for number, name in enumerate(("first", "second"))
        }
        return raw | entries | {"show": ["kboot", "show", "--json", medium.name]}
    files = {
        "cp": ["cp", "small", f"{place}/new"],
        "cp-over": ["cp", "large", f"{place}/lib/a.py"],
        "cp-r": ["cp", "-r", "tree", f"{place}/tree"],
        "mv": ["mv", f"{place}/main.py", f"{place}/moved.py"],
        "mv-over": ["mv", "-f", f"{place}/lib/deep/b.bin", f"{place}/main.py"],
        "rm": ["rm", f"{place}/lib/a.py"],
        "rm-r": ["rm", "-r", f"{place}/lib"],
        "ls": ["ls", "-R", f"{place}/"],
        "cat": ["cat", f"{place}/lib/a.py"],
        "unpack": ["unpack", place if medium.prefix else medium.name, "out"],
    }
    if medium.geometry is None:
        files |= {"mkdir": ["mkdir", "-p", f"{place}/x/y"], "mkdir2": ["mkdir", f"{place}/z"]}
    else:
        files["gc"] = ["gc", medium.name]
    if kind in ("flash", "board"):
        files |= raw
    if kind in ("spiffs", "card"):
        files["pack"] = ["pack", "tree", "-o", medium.name, "-f"]
        if kind == "spiffs":
            files["pack"] += ["--like", medium.name]
    return files


def prepare(folder: Path) -> None:
    """Put the files that commands copy into a folder; their times are fixed."""
    (folder / "small").write_bytes(b"small" * 100)
    (folder / "large").write_bytes(bytes(range(256)) * 300)
    (folder / "tree" / "inner").mkdir(parents=True)
    (folder / "tree" / "one").write_bytes(b"1" * 5000)
    (folder / "tree" / "inner" / "two").write_bytes(b"2" * 4096)
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


class Outcome(NamedTuple):
    """How a command ended."""

    exit_code: int
    seen: str
    """What a reader saw; empty for a writer."""


def start(name: str, words: list[str], folder: Path, log: Path) -> int:
    """Run a command in a child process; return its number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.chdir(folder)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(os.open(f"{log}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["maixfs", *words]
        from maixfs.__main__ import main

        try:
            code = main() or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def judge(status: int, name: str, folder: Path, log: Path) -> Outcome:
    """Return how a command ended; raises ``AssertionError`` for a crash or a traceback."""
    if not os.WIFEXITED(status):
        raise AssertionError(f"{name} was ended by signal {os.WTERMSIG(status)}")
    code = os.WEXITSTATUS(status)
    errors = Path(f"{log}.err").read_text(errors="replace")
    assert code in (0, 1, 2) and "Traceback" not in errors, f"{name}: {code}\n{errors}"
    seen = ""
    if name in READERS or name == "show":
        seen = hashlib.sha256(log.read_bytes()).hexdigest()
        if name == "unpack":
            seen = str(contents_of(folder / "out"))
    return Outcome(code, seen)


def contents_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def state_of(folder: Path, medium: Medium) -> str:
    """Return the files on a medium, and the bytes outside of its file system."""
    host = folder / medium.name
    outside: dict[str, str] = {}
    files: dict[str, str] = {}
    if medium.card is not None:
        with FileSectors.open(folder / medium.card) as device:
            start_sector = int.from_bytes(device.read(0, 1)[454:458], "little")
            with Fat(device, start_sector) as fat:
                files = _files(fat)
    else:
        image = (host / "flash.bin" if host.is_dir() else host).read_bytes()
        geometry = medium.geometry
        if geometry is not None:
            end = geometry.base + geometry.size
            chip_ = NorChip.in_memory(len(image))
            chip_.poke(0, image)
            with Spiffs(make_driver("ideal", chip_), geometry, read_only=True) as fs:
                files = _files(fs)
            image = image[: geometry.base] + image[end:]
        outside = {"outside": hashlib.sha256(image).hexdigest()}
    left = [path.name for path in folder.rglob("*") if path.name.startswith(".maixfs-draft")]
    return json.dumps([files, outside, left], sort_keys=True)


def _files(fs: Spiffs | Fat) -> dict[str, str]:
    found = {}
    for _, names, entries in fs.walk("/"):
        for entry in entries:
            found[entry.path] = hashlib.sha256(fs.read_bytes(entry)).hexdigest()
        found |= {f"{entry.path}/": "" for entry in names if isinstance(fs, Fat)}
    return found


class Pair(NamedTuple):
    """Two commands on one kind of medium."""

    kind: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.first}+{self.second}"


def pairs() -> list[Pair]:
    """Return every pair in which at least one command writes."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for kind, make in MEDIA.items():
            folder = Path(place) / kind
            folder.mkdir()
            names = commands(kind, make(folder))
            for first, second in itertools.combinations_with_replacement(names, 2):
                if {first, second} - {*READERS, "show"}:
                    found.append(Pair(kind, first, second))
    return found


def run_pair(pair: Pair, place: Path, delay: float = 0) -> str:
    """Run a pair in all three ways; return how it ended together.

    Raises ``AssertionError`` where that is not one of the allowed ends.
    """
    base = place / "base"
    base.mkdir()
    prepare(base)
    medium = MEDIA[pair.kind](base)
    known = commands(pair.kind, medium)
    words = [known[pair.first], known[pair.second]]
    names = [pair.first, pair.second]

    def run_in_order(label: str, order: list[int]) -> tuple[list[Outcome | None], str]:
        folder = place / label
        shutil.copytree(base, folder)
        outcomes: list[Outcome | None] = [None, None]
        for at in order:
            log = place / f"{label}.{at}"
            status = os.waitpid(start(names[at], words[at], folder, log), 0)[1]
            outcomes[at] = judge(status, names[at], folder, log)
        return outcomes, state_of(folder, medium)

    together = place / "together"
    shutil.copytree(base, together)
    logs = [place / "together.0", place / "together.1"]
    children = []
    for at in (0, 1):
        children.append(start(names[at], words[at], together, logs[at]))
        if delay and not at:
            time.sleep(delay)  # the second one meets another phase of the first
    # Both have to end before one is judged: a failure removes the folder that they work in.
    ends = [os.waitpid(child, 0)[1] for child in children]
    outcomes = [judge(ends[at], names[at], together, logs[at]) for at in (0, 1)]
    state = state_of(together, medium)
    for label, order in (("ab", [0, 1]), ("ba", [1, 0])):
        if run_in_order(label, order) == (outcomes, state):
            return "one after the other"
    for at in (0, 1):
        alone, after = run_in_order(f"alone{at}", [at])
        if after == state and alone[at] == outcomes[at] and outcomes[1 - at].exit_code == 1:
            return "refused"
    errors = "\n".join(Path(f"{log}.err").read_text(errors="replace") for log in logs)
    raise AssertionError(f"{pair}: {outcomes}, {state}\n{errors}")


def chosen(count: int, seed: int) -> list[tuple[Pair, float]]:
    """Return ``count`` pairs, each kind about as often, with a head start for the first."""
    everything = pairs()
    chance = random.Random(seed)
    rounds, rest = divmod(count, len(everything))
    found = everything * rounds + chance.sample(everything, rest)
    chance.shuffle(found)
    return [(pair, chance.choice((0, 0, 0.003, 0.01, 0.03))) for pair in found]


def main() -> int:
    """Run as many pairs as the first argument says; print what happened."""
    count = int(sys.argv[1]) if sys.argv[1:] else 1000
    seed = int(sys.argv[2]) if sys.argv[2:] else 1
    ends: dict[str, int] = {}
    for pair, delay in chosen(count, seed):
        with tempfile.TemporaryDirectory() as place:
            try:
                end = run_pair(pair, Path(place), delay)
            except AssertionError as error:
                end = "wrong"
                print(error)
        ends[end] = ends.get(end, 0) + 1
    print(f"{count} pairs of {len(pairs())} kinds: {ends}")
    return int("wrong" in ends)


if __name__ == "__main__":
    sys.exit(main())
