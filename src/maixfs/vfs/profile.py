"""Which MicroPython the VFS follows where versions differ."""

from __future__ import annotations

from dataclasses import dataclass

from maixfs.errors import UsageError


@dataclass(frozen=True)
class Profile:
    """How one version of MicroPython behaves.

    ``relative_misses_are_root``: a relative name that no mount matches, looked up from ``/``, is
    taken for ``/`` itself. ``chdir_moves_first``: the current volume changes before its ``chdir``
    is asked, so that a failed one leaves it changed. ``path_max``: bytes, the last field of
    ``statvfs("/")`` and of a FAT volume's ``getcwd``. ``checks_utf8``: text reads raise
    ``UnicodeError``. ``has_errno_attribute``: an ``OSError`` has ``.errno``. ``epoch``: what a
    time of 2000-01-01 is, seconds. ``minds_devices``: what a program's block device returns
    counts.
    """

    name: str
    relative_misses_are_root: bool
    chdir_moves_first: bool
    path_max: int
    checks_utf8: bool
    has_errno_attribute: bool
    epoch: int
    minds_devices: bool


PROFILES: dict[str, Profile] = {
    "maixpy": Profile(
        "maixpy",
        relative_misses_are_root=True,
        chdir_moves_first=True,
        path_max=128,
        checks_utf8=False,
        has_errno_attribute=False,
        epoch=0,
        minds_devices=False,
    ),
    "modern": Profile(
        "modern",
        relative_misses_are_root=False,
        chdir_moves_first=False,
        path_max=4096,
        checks_utf8=True,
        has_errno_attribute=True,
        epoch=946684800,  # Unix time, as its port for PCs has it
        minds_devices=True,
    ),
}
"""``maixpy`` is v1.11 as MaixPy builds it, ``modern`` the releases of today."""


def profile_of(name: str) -> Profile:
    """Return the profile called ``name``; raises ``UsageError`` for one that there is not."""
    if name not in PROFILES:
        raise UsageError(
            f"there is no VFS profile {name!r}", hint=f"profiles: {', '.join(PROFILES)}"
        )
    return PROFILES[name]
