"""Prints the benchmark tables. ``python3 dev.py bench --help`` says what can be chosen.

Other implementations can be timed in the same run: ``--reference COMMAND`` runs a program that
prints lines of ``name milliseconds`` with the names of the first column, and the tables get the
ratio of ours to it. mkfs.fat and mtools are timed where they are installed; with
``--peers PYTHON``, so are the FAT libraries that this other Python has.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from timing import (
    ProcessCost,
    reference_times,
    time_against_python,
    time_process,
    time_work,
)
from works import (
    WIDE,
    Work,
    as_filesystem,
    create_files,
    filled,
    fresh,
    pack_files,
    read_files,
    works,
)

FOR_EVER = float("inf")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each line (median counts)")
    parser.add_argument(
        "--reference",
        default=os.environ.get("MAIXFS_BENCH_REFERENCE"),
        help="command of another implementation (also MAIXFS_BENCH_REFERENCE)",
    )
    parser.add_argument(
        "--only", choices=["spiffs", "fat", "flash"], help="the tables of one part"
    )
    parser.add_argument(
        "--patience", type=float, default=20, help="seconds after which another tool is given up"
    )
    parser.add_argument(
        "--peers", metavar="PYTHON", help="a Python that may have pyfatfs and fatfs-ng"
    )
    choice = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, median of {choice.runs}\n")
    reference = reference_times(choice.reference) if choice.reference else {}
    wanted = (choice.only,) if choice.only else ("spiffs", "fat", "flash")
    if "fat" in wanted:
        print_scan(choice.runs)  # first: Linux counts this process's memory to its children
    if "flash" in wanted:
        print_flash_processes(choice.runs)
        print_ratios(choice.runs)
    if "spiffs" in wanted:
        print_driver(choice.runs, reference)
        print_growth(choice.runs)
        print_processes(choice.runs)
        print()
    if "fat" in wanted:
        print_fat(choice, reference)
    if "flash" in wanted:
        print_flash(choice.runs)
    return 0


def print_driver(runs: int, reference: dict[str, float]) -> None:
    """Print the driver's lines; the reference is timed once more at the end of the run."""
    print("| name | work, MaixPy area in RAM | reference ms | ours ms | ratio | limit ms |")
    print("|---|---|---|---|---|---|")
    for work in works():
        ours = time_work(work, runs)
        theirs = reference.get(work.key)
        shown = (
            f"{theirs:.3f} | {ours:.3f} | {ours / theirs:.1f}" if theirs else f"- | {ours:.3f} | -"
        )
        print(f"| {work.key} | {work.title} | {shown} | {work.limit:g} |")


def print_growth(runs: int) -> None:
    """Show that cost grows with the files touched, not with the files there are."""
    print("\n| files there | create one, us | list one, us | open and read one, us |")
    print("|---|---|---|---|")
    for count in (10, 100, 500):
        rows = growth_works(count)
        cells = (time_work(work, runs) * 1000 / count for work in rows)
        print(f"| {count} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")


def growth_works(count: int) -> list[Work]:
    """Return creating, listing and reading of ``count`` small files."""
    stock = as_filesystem(filled(count, 64, WIDE))
    return [
        Work("", "", 0, lambda: fresh(WIDE), lambda fs: create_files(fs, count, b"x" * 64)),
        Work("", "", 0, lambda: stock, lambda fs: list(fs.scandir())),
        Work("", "", 0, lambda: stock, lambda fs: read_files(fs, count)),
    ]


def print_processes(runs: int) -> None:
    """Print whole processes: the command line and packing."""
    print("\n| whole process | ms | limit ms | peak MiB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for title, command, limit in process_lines(Path(folder)):
            cost = time_process([sys.executable, "-m", "maixfs", *command], runs)
            print(f"| {title} | {cost.milliseconds:.0f} | {limit} | {_peak(cost)} |")


def _peak(cost: ProcessCost) -> str:
    return "-" if cost.peak_mib is None else f"{cost.peak_mib:.0f}"


def process_lines(folder: Path) -> list[tuple[str, list[str], int]]:
    """Return title, arguments and limit of each process; makes what they work on."""
    sixty, many = folder / "sixty", folder / "many"
    write_tree(sixty, pack_files(60, int(1.94 * (1 << 20))))
    write_tree(many, pack_files(200, 1 << 20))
    out, idf = str(folder / "out.bin"), str(folder / "idf.bin")
    pack_idf = ["pack", str(many), "-o", idf, "--preset", "esp-idf", "--size", "0x170000"]
    return [
        ("maixfs pack, 60 files / 1.94 MiB", ["pack", str(sixty), "-o", out, "--force"], 150),
        ("maixfs pack, 200 files / 1 MiB, esp-idf", [*pack_idf, "--force"], 150),
    ]


def print_ratios(runs: int) -> None:
    """Print what commands cost as multiples of a Python that does nothing."""
    print("\n| whole process | CPU ms, minimum | to `python3 -c pass` | limit |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tree, flash, small = folder / "tree", str(folder / "flash.bin"), folder / "small.py"
        write_tree(tree, pack_files(60, 1 << 20))
        small.write_text("print('hello')\n" * 40, encoding="utf-8")
        pack = ["pack", str(tree), "-o", flash, "--whole-flash", "--force"]
        time_process([sys.executable, "-m", "maixfs", *pack], 1)
        for title, words, limit in (
            ("maixfs --help", ["--help"], "3.5"),
            ("maixfs info of 16 MiB", ["info", flash], "7"),
            ("maixfs ls of 16 MiB", ["ls", flash], "-"),
            ("maixfs cp of a small file into 16 MiB", ["cp", str(small), f"{flash}:/flash/"], "-"),
        ):
            cpu, ratio = time_against_python([sys.executable, "-m", "maixfs", *words], runs)
            print(f"| {title} | {cpu:.0f} | {ratio:.1f} | {limit} |", flush=True)


def print_fat(choice: argparse.Namespace, reference: dict[str, float]) -> None:
    """Print the FAT driver's lines beside everybody else's, then its peak memory."""
    from fat_works import fat_works

    others = {"reference": reference}
    with tempfile.TemporaryDirectory() as folder:
        others.update(peer_times(Path(folder), choice))
    print(f"| name | work, cards in RAM | {' | '.join(others)} | ours ms | ratio | limit ms |")
    print("|---|---|" + "---|" * (len(others) + 3))
    for work in fat_works():
        ours = time_work(work, choice.runs)
        theirs = reference.get(work.key)
        cells = [_shown(times.get(work.key)) for times in others.values()]
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        line = [work.key, work.title, *cells, f"{ours:.3f}", ratio, f"{work.limit:g}"]
        print(f"| {' | '.join(line)} |", flush=True)


def _shown(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return "given up" if milliseconds == FOR_EVER else f"{milliseconds:.3f}"


def peer_times(folder: Path, choice: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the times of the other tools that are there, by their name."""
    from fat_peers import Mtools, python_peers

    mtools = Mtools(folder, choice.patience)
    if not mtools.installed():
        return {}
    found = {"mkfs.fat + mtools": mtools.times()}
    if choice.peers:
        found.update(python_peers(choice.peers, mtools))
    return found


def print_scan(runs: int) -> None:
    """Print what a whole process takes that mounts 128 GiB and counts the FAT."""
    from fat_works import HUGE, MIB, formatted
    from maixfs.sd import FileSectors

    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "card.img"
        with FileSectors.create(image, HUGE * MIB) as card:
            formatted(card)
        script = Path(__file__).with_name("scan_card.py")
        cost = time_process([sys.executable, str(script), str(image)], runs)
    print("| whole process | ms | peak MiB | limit MiB |")
    print("|---|---|---|---|")
    print(f"| mount 128 GiB, count the FAT | {cost.milliseconds:.0f} | {_peak(cost)} | 120 |\n")


def print_flash_processes(runs: int) -> None:
    """Print the verbs on whole flashes."""
    from flash_works import write_flashes

    print("| whole process | CPU ms | ms | limit ms | peak MiB | limit MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for line in write_flashes(Path(folder)):
            cost = time_process([sys.executable, "-m", "maixfs", *line.arguments], runs, line.code)
            busy = "-" if cost.cpu is None else f"{cost.cpu:.0f}"
            figures = f"{busy} | {cost.milliseconds:.0f} | {line.limit} | {_peak(cost)}"
            print(f"| {line.title} | {figures} | {line.most_mib or '-'} |", flush=True)
    print()


def print_flash(runs: int) -> None:
    """Print what is timed within this process: the search for models, and raw reads."""
    from flash_works import flash_works

    print("\n| name | work, 16 MiB in RAM | ours ms | limit ms |")
    print("|---|---|---|---|")
    for work in flash_works():
        print(f"| {work.key} | {work.title} | {time_work(work, runs):.3f} | {work.limit:g} |")


def write_tree(folder: Path, files: list[tuple[str, bytes]]) -> None:
    """Write files to a folder of the host."""
    for name, data in files:
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
