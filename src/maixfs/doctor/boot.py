"""What a board does when it is switched on, as far as flash and card show (docs/SPEC.md, 12.2)."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.subject import Subject
from maixfs.errors import MaixfsError
from maixfs.firmware import BootVerdict, FreqReport, check_boot_area, freqconf
from maixfs.spiffs.check import SpiffsCheck
from maixfs.tuples import NamedTuple

_LOBO = "MicroPython by LoBo"
_KRUX = "Krux"
IDE_MODE = "/ide_mode.conf"
CONFIG_JSON = "/config.json"
BOOT, MAIN = "/boot.py", "/main.py"


class Step(NamedTuple):
    """One thing that happens, in a sentence."""

    text: str
    key: str | None = None
    """The finding that explains it, if something is wrong."""
    address: int | None = None
    stops: bool = False
    """Whether the board gets no further."""
    usual: bool = False
    """Whether it is the same on every board."""

    @property
    def is_problem(self) -> bool:
        """Whether something is wrong."""
        return self.key is not None


class BootReport(NamedTuple):
    """The steps of a start, and facts about it for the rules."""

    verdict: BootVerdict
    """Of the chip's ROM on the start of the flash."""
    formats: bool | None
    """Whether the firmware formats /flash; ``None`` if it has none."""
    freq: FreqReport | None
    """What ``/freq.conf`` says; ``None`` without one."""
    files: dict[str, int]
    """Size of those files of /flash that play a part at start, by name."""
    steps: tuple[Step, ...]

    @property
    def starts(self) -> bool:
        """Whether the firmware comes to run its programs, as far as can be seen."""
        return not any(step.stops for step in self.steps)


def report_boot(subject: Subject) -> BootReport:
    """Return what the board does; nothing is raised."""
    known = next((firmware for firmware in subject.firmware if firmware.address == 0), None)
    verdict = check_boot_area(subject.view, known)
    steps = [_rom_step(subject, verdict), *_kboot_steps(subject)]
    products = {firmware.banner.product for firmware in subject.firmware}
    # LoBo's firmware has littlefs on /flash and none of the files that MaixPy looks for.
    if _LOBO in products:
        steps.append(Step("LoBo's firmware mounts its littlefs, and formats it if necessary"))
        return BootReport(verdict, None, None, {}, tuple(steps))
    flash = mount_home(subject)
    files = _sizes(flash)
    freq = _freq(flash, files)
    steps += _flash_steps(subject, flash)
    steps += _freq_steps(freq, files)
    steps += _krux_steps() if _KRUX in products else _program_steps(subject, flash, files)
    return BootReport(verdict, not flash.mounts, freq, files, tuple(steps))


def no_start_key(kind: str) -> str:
    """Return the key of the finding for a boot area that the ROM does not start."""
    if kind == "header":
        return "no-header"
    if kind == "hash":
        return "bad-hash"
    return "no-firmware" if kind in ("blank", "zero", "cut") else "wrong-file"


def runs_own_firmware(subject: Subject, verdict: BootVerdict) -> bool:
    """Return True if a virtual board without firmware runs that of maixfs."""
    return subject.is_board and verdict.kind in ("blank", "zero")


def _rom_step(subject: Subject, verdict: BootVerdict) -> Step:
    if runs_own_firmware(subject, verdict):
        return Step("the firmware of maixfs starts", usual=True)
    if verdict.ok:
        return Step(verdict.reason, None, 0)
    return Step(verdict.reason, no_start_key(verdict.kind), 0, stops=True)


def _kboot_steps(subject: Subject) -> Iterator[Step]:
    if subject.kboot is not None:
        choice, version = subject.kboot.choice, subject.kboot.version
        if choice.source == "halt":
            text = f"{version} halts: {choice.reason}"
            yield Step(text, "kboot-halts", choice.address, stops=True)
        else:
            what = f"{choice.name!r} at {choice.address:#x}"
            yield Step(f"{version} starts {what}: {choice.reason}")


def mount_home(subject: Subject) -> SpiffsCheck:
    """Return the file system as the firmware finds it: in its own place and format."""
    # The file system that is examined may lie elsewhere; the firmware looks in one place only.
    home, check = subject.home, subject.spiffs
    return check if check and check.geometry == home else SpiffsCheck(subject.view, home)


def _sizes(flash: SpiffsCheck) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name in (freqconf.NAME, CONFIG_JSON, IDE_MODE, BOOT, MAIN):
        try:
            sizes[name] = flash.core.stat(name).size
        except MaixfsError:
            continue
    return sizes


def _freq(flash: SpiffsCheck, files: dict[str, int]) -> FreqReport | None:
    if freqconf.NAME not in files:
        return None
    try:
        with flash.core.open_page(flash.core.stat(freqconf.NAME).page) as descriptor:
            # The firmware reads the structure and ignores what follows; a shorter file leaves the
            # defaults in the rest.
            return freqconf.examine(descriptor.read(freqconf.FreqConf.size))
    except MaixfsError:
        return None


def _flash_steps(subject: Subject, flash: SpiffsCheck) -> Iterator[Step]:
    home = subject.home
    if flash.mounts:
        yield Step(f"/flash is mounted from {home.base:#x}", usual=True)
        # One wrong magic is what an erase leaves that power cut short; the mount erases that block
        # again (docs/SPEC.md, 7).
        if flash.core.aborted_block is not None:
            yield Step(f"block {flash.core.aborted_block}, whose erase was cut short, is erased")
    elif subject.size < home.base + home.size:
        text = f"the flash ends at {subject.size:#x}, /flash is at {home.base:#x} behind that"
        yield Step(f"/flash cannot be mounted: {text}", "small-chip")
    elif flash.blank:
        yield Step(f"/flash is formatted: the area at {home.base:#x} is blank")
    else:
        elsewhere = [area.geometry.base for area in subject.areas]
        moved = f"; the SPIFFS at {elsewhere[0]:#x} is not looked at" if elsewhere else ""
        text = f"/flash is FORMATTED, what is in it is lost: {flash.fault}{moved}"
        yield Step(text, "no-mount" if subject.is_board else "will-format", home.base)


def _freq_steps(freq: FreqReport | None, files: dict[str, int]) -> Iterator[Step]:
    name = freqconf.NAME
    if freq is None:
        what = "cannot be read, so the defaults hold" if name in files else "is written anew"
        yield Step(f"{name} {what}: CPU {freqconf.CPU_DEFAULT // 1_000_000} MHz")
        return
    used = freq.used
    clocks = f"CPU {used.freq_cpu / 1e6:g} MHz, KPU {used.freq_kpu / 1e6:g} MHz"
    yield Step(f"{name}: {clocks}, heap {used.gc_heap_size} bytes")
    for problem in freq.problems:
        yield Step(f"{name}: {problem}", "freq-conf", stops=True)
    for remark in freq.remarks:
        yield Step(f"{name}: {remark}")


def _krux_steps() -> Iterator[Step]:
    yield Step("Krux starts its own program; settings come from /sd or /flash")


def _program_steps(subject: Subject, flash: SpiffsCheck, files: dict[str, int]) -> Iterator[Step]:
    if CONFIG_JSON in files:
        yield Step(f"{CONFIG_JSON} ({files[CONFIG_JSON]} bytes) may name the card's pins")
    # `_boot.py` looks for it before it looks for programs (docs/SPEC.md, 12.2).
    if IDE_MODE in files:
        yield Step(f"{IDE_MODE} is removed, and the board waits for its IDE: no program runs")
        return
    card = subject.card
    if card is not None and card.mounts:
        yield from _card_steps(card.names)
        return
    before = ""
    # Nothing says whether the real board has a card: the step without one is described, and what a
    # card changes.
    if not subject.is_board:
        before = "without a card: "
        yield Step(
            "a card that mounts becomes /sd and the current directory: boot.py and main.py are"
            " then its own, and its cover.boot.py and cover.main.py replace those of /flash",
            usual=True,
        )
    if not flash.mounts:
        yield Step(f"{before}an empty /flash gets a default main.py, which runs")
        return
    boot = f"{BOOT} runs ({files[BOOT]} bytes)" if BOOT in files else f"there is no {BOOT}"
    main = f"a default {MAIN} is written and runs"
    if MAIN in files:
        main = f"{MAIN} runs ({files[MAIN]} bytes)"
    yield Step(f"{before}{boot}, then {main}")


def _card_steps(names: frozenset[str]) -> Iterator[Step]:
    yield Step("the card is mounted as /sd and is the current directory")
    for name in ("boot.py", "main.py"):
        if f"cover.{name}" in names:
            yield Step(f"/sd/cover.{name} replaces /flash/{name} where they differ")
    runs = [f"/sd/{name}" for name in ("boot.py", "main.py") if name in names]
    yield Step(f"{', then '.join(runs)} runs" if runs else "no program of the card runs")
