"""Locks of whole files: an image that is edited is not replaced meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from image.places import FILES, SMALL, make_bare
from maixfs.image.boardlock import ImageBusyError
from maixfs.image.opening import open_image
from maixfs.transfer.packing import pack_folder


def test_replacing_an_edited_image_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maixfs.image.source.PATIENCE", 0)
    place = make_bare(tmp_path, SMALL)
    (tmp_path / "files").mkdir()
    with open_image(place.host, "r+") as image:
        image.write_bytes("/new", b"new")
        with pytest.raises(ImageBusyError):
            pack_folder(tmp_path / "files", place.host, SMALL, force=True)
    with open_image(place.host) as image:
        assert image.read_bytes("/new") == b"new"
        assert image.read_bytes("/main.py") == FILES[b"/main.py"]
