"""What a board does when it is switched on, as far as its flash tells (docs/SPEC.md, 12.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from maixfs.firmware import BootVerdict, FreqConf, FreqReport, check_boot_area, freqconf
from maixfs.image.layout import Region, find_layout
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import OpenFlag, SpiffsCore, SpiffsError

if TYPE_CHECKING:
    from maixfs.image.flash import FlashImage

_LOBO = "MicroPython by LoBo"
_KRUX = "Krux"
IDE_MODE = "/ide_mode.conf"
CONFIG_JSON = "/config.json"
BOOT, MAIN = "/boot.py", "/main.py"
_KBOOT_HINT = "maixfs kboot set enters an application that is there"


class Step(NamedTuple):
    """One thing that happens, in a sentence."""

    text: str
    is_problem: bool = False
    address: int | None = None
    hint: str | None = None
    stops: bool = False
    """Whether the board gets no further."""


class BootReport(NamedTuple):
    """What happens, in order, and what the programs are to know of it."""

    verdict: BootVerdict
    """Of the chip's ROM on the start of the flash."""
    formats: bool | None
    """Whether the firmware formats /flash; ``None`` where it has none."""
    freq: FreqReport | None
    """What ``/freq.conf`` says; ``None`` without one."""
    files: dict[str, int]
    """Size of those files of /flash that play a part at start, by name."""
    steps: tuple[Step, ...]

    @property
    def starts(self) -> bool:
        """Whether the firmware comes to run its programs, as far as can be seen."""
        return not any(step.stops for step in self.steps)


class _Flash(NamedTuple):
    """The file system as the firmware finds it."""

    fs: SpiffsCore | None
    fault: str


def report_boot(image: FlashImage) -> BootReport:
    """Return what the board does; nothing is raised."""
    verdict = check_boot_area(image.view)
    steps = [Step(verdict.reason, not verdict.ok, 0, _rom_hint(verdict), not verdict.ok)]
    steps += _kboot_steps(image)
    products = {firmware.banner.product for firmware in image.firmware}
    if _LOBO in products:
        steps.append(Step("LoBo's firmware mounts its littlefs, formats it where it must"))
        return BootReport(verdict, None, None, {}, tuple(steps))
    region = _home(image)
    flash = _mount(image, region)
    files = _sizes(flash)
    freq = _freq(flash, files)
    steps += _flash_steps(image, region, flash)
    steps += _freq_steps(freq, files)
    steps += _krux_steps() if _KRUX in products else _program_steps(flash, files)
    return BootReport(verdict, flash.fs is None, freq, files, tuple(steps))


def _rom_hint(verdict: BootVerdict) -> str | None:
    if verdict.kind == "header":
        return "maixfs firmware wrap puts header and hash around the program"
    return None if verdict.ok else "flash a firmware at address 0"


def _kboot_steps(image: FlashImage) -> Iterator[Step]:
    if image.kboot is not None:
        choice = image.kboot.choice
        if choice.source == "halt":
            text = f"{image.kboot.version} halts: {choice.reason}"
            yield Step(text, True, choice.address, _KBOOT_HINT, True)
        else:
            what = f"{choice.name!r} at {choice.address:#x}"
            yield Step(f"{image.kboot.version} starts {what}: {choice.reason}")


def _home(image: FlashImage) -> Region:
    """Return where the firmware looks for its file system: MaixPy's place unless told."""
    homes = image.layout.of_kind("spiffs") if image.layout else ()
    with_shape = [region for region in homes if region.geometry]
    return with_shape[0] if with_shape else find_layout("maixpy-16m").region("flash")


def _mount(image: FlashImage, region: Region) -> _Flash:
    if image.size < region.end:
        return _Flash(None, f"the flash ends at {image.size:#x}, {region} is behind that")
    geometry = region.spiffs_geometry()
    assert geometry is not None
    try:
        return _Flash(SpiffsCore(ImageDevice(image.view), geometry, read_only=True), "")
    except SpiffsError as error:
        return _Flash(None, str(error))


def _sizes(flash: _Flash) -> dict[str, int]:
    names = (freqconf.NAME, CONFIG_JSON, IDE_MODE, BOOT, MAIN)
    found: dict[str, int] = {}
    if flash.fs is None:
        return found
    for name in names:
        try:
            found[name] = flash.fs.stat(name).size
        except SpiffsError:
            continue
    return found


def _freq(flash: _Flash, files: dict[str, int]) -> FreqReport | None:
    if flash.fs is None or freqconf.NAME not in files:
        return None
    try:
        with flash.fs.open_descriptor(freqconf.NAME, OpenFlag.RDONLY) as descriptor:
            return freqconf.examine(descriptor.read(FreqConf.size))
    except SpiffsError:
        return None


def _flash_steps(image: FlashImage, region: Region, flash: _Flash) -> Iterator[Step]:
    if flash.fs is not None:
        yield Step(f"/flash is mounted from {region.start:#x}")
        if flash.fs.aborted_block is not None:
            yield Step(f"block {flash.fs.aborted_block}, whose erase was cut short, is erased")
        return
    if image.size < region.end:
        yield Step(f"/flash cannot be: {flash.fault}", True, None, "this firmware needs 16 MiB")
        return
    area = bytes(image.view[region.start : region.end])
    if area.count(0xFF) == len(area):
        yield Step(f"/flash is formatted: the area at {region.start:#x} is blank")
        return
    elsewhere = [area.geometry.base for area in image.areas]
    moved = f"; the SPIFFS at {elsewhere[0]:#x} is not looked at" if elsewhere else ""
    text = f"/flash is FORMATTED, what is in it is lost: {flash.fault}{moved}"
    yield Step(text, True, region.start, "take the files out before the board is switched on")


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
        hint = f"remove {name}, or mend the heap size"
        yield Step(f"{name}: {problem}", True, None, hint, True)
    for remark in freq.remarks:
        yield Step(f"{name}: {remark}")


def _krux_steps() -> Iterator[Step]:
    yield Step("Krux starts its own program; settings come from /sd or /flash")


def _program_steps(flash: _Flash, files: dict[str, int]) -> Iterator[Step]:
    if CONFIG_JSON in files:
        yield Step(f"{CONFIG_JSON} ({files[CONFIG_JSON]} bytes) may name the card's pins")
    yield Step(
        "a card that mounts becomes /sd and the current directory: boot.py and main.py are then"
        " its own, and its cover.boot.py and cover.main.py replace those of /flash"
    )
    if IDE_MODE in files:
        yield Step(f"{IDE_MODE} is removed, and the board waits for its IDE: no program runs")
        return
    if flash.fs is None:
        yield Step("without a card: an empty /flash gets a default main.py, which runs")
        return
    boot = f"{BOOT} runs ({files[BOOT]} bytes)" if BOOT in files else f"there is no {BOOT}"
    main = f"a default {MAIN} is written and runs"
    if MAIN in files:
        main = f"{MAIN} runs ({files[MAIN]} bytes)"
    yield Step(f"without a card: {boot}, then {main}")
