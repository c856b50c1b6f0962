"""MicroPython's own error numbers: Linux's values on every port, whatever the host says."""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """Error numbers that a MicroPython program meets in ``OSError.args[0]`` (v1.11)."""

    EPERM = 1
    ENOENT = 2
    EIO = 5
    ENOEXEC = 8
    EBADF = 9
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    ENOTDIR = 20
    EISDIR = 21
    EINVAL = 22
    EMFILE = 24
    ENOSPC = 28
    ESPIPE = 29
    EROFS = 30
    EOPNOTSUPP = 95
    EADDRINUSE = 98
    ECONNABORTED = 103
    ECONNRESET = 104
    ENOBUFS = 105
    ENOTCONN = 107
    ETIMEDOUT = 110
    ECONNREFUSED = 111
    EHOSTUNREACH = 113
    EALREADY = 114
    EINPROGRESS = 115


UERRNO_NAMES = (
    "EPERM",
    "ENOENT",
    "EIO",
    "EBADF",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EEXIST",
    "ENODEV",
    "EISDIR",
    "EINVAL",
    "EOPNOTSUPP",
    "EADDRINUSE",
    "ECONNABORTED",
    "ECONNRESET",
    "ENOBUFS",
    "ENOTCONN",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "EHOSTUNREACH",
    "EALREADY",
    "EINPROGRESS",
)
"""What the module ``uerrno`` holds on the board: the only numbers that an error prints by name."""

UERRNO: dict[str, int] = {name: int(Errno[name]) for name in UERRNO_NAMES}
"""Name to number, as ``uerrno`` shows it."""

ERRORCODE: dict[int, str] = {number: name for name, number in UERRNO.items()}
"""Number to name, ``uerrno.errorcode``; ENOSPC, EROFS and others are not in it."""
