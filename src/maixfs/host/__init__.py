"""Files of the host: opening, locking, mapping and replacing them, for chips, cards and drafts.

    drafts.py   new files that appear whole or not at all
    drives.py   block devices: size, users, partition tables
    errors.py   errors of the host as ``DeviceError``
    files.py    files read and written at offsets, or read whole
    locks.py    locks on files, and locks in files of their own
    mapped.py   files mapped into memory

Every error is a ``maixfs.errors.DeviceError`` with the host's ``errno``, and of the builtin class
for it (``FileNotFoundError``, ...). No module here imports one that only POSIX has.
"""
