"""Bytes of an image that are set by address, and cards that fail while they are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from image.cards import FILES as CARD_FILES
from image.cards import make_card, tree_of
from image.places import FILES, SMALL, make_bare, make_board, make_image
from maixfs.errors import DeviceError, ReadOnlyError
from maixfs.host.drives import journal_of
from maixfs.image.errors import TargetError
from maixfs.image.identify import FileKind, identify
from maixfs.image.media import FlashMedium
from maixfs.image.opening import open_image
from maixfs.sd.errors import SectorError
from maixfs.sd.media import FileSectors

SECTOR = 0x1000


def erases(medium: object) -> dict[int, int]:
    assert isinstance(medium, FlashMedium)
    return dict(medium.overlay.erases)


def test_written_bytes_erase_the_sectors_that_change(tmp_path: Path) -> None:
    host = make_image(tmp_path, SMALL, 0x100000).host
    before = host.read_bytes()
    at = 0x20000
    assert before[at : at + 3 * SECTOR] == b"\xff" * 3 * SECTOR
    with open_image(host, "r+") as image:
        medium = image.main.medium
        image.write(at + SECTOR - 2, b"\0\0\0\0")
        image.write(at + SECTOR, b"\0\1")
        assert erases(medium) == {at // SECTOR: 1, at // SECTOR + 1: 2}
        assert image.read(at + SECTOR - 3, 7) == b"\xff\0\0\0\1\xff\xff"
        image.commit()
    expected = bytearray(before)
    expected[at + SECTOR - 2 : at + SECTOR + 2] = b"\0\0\0\1"
    assert host.read_bytes() == expected


def test_bytes_that_are_there_already_are_no_change(tmp_path: Path) -> None:
    host = make_image(tmp_path, SMALL, 0x100000).host
    with open_image(host, "r+") as image:
        image.write(0, image.read(0, 0x8000))
        assert not image.main.medium.changed
        assert erases(image.main.medium) == {}
        assert image.commit() == []


@pytest.mark.parametrize("size", [0x100000, 0x100123])
def test_write_outside_an_image_changes_nothing(tmp_path: Path, size: int) -> None:
    host = make_image(tmp_path, SMALL, size).host
    with open_image(host, "r+") as image:
        for address, data in ((size - 1, b"ab"), (size, b"a"), (-1, b"a"), (1 << 40, b"a")):
            with pytest.raises(DeviceError):
                image.write(address, data)
            with pytest.raises(DeviceError):
                image.read(address, len(data))
        assert not image.main.medium.changed
        image.write(size - 1, b"\0")
        image.commit()
    assert host.stat().st_size == size and host.read_bytes()[-1:] == b"\0"


def test_write_to_an_image_that_is_open_for_reading_is_refused(tmp_path: Path) -> None:
    host = make_image(tmp_path, SMALL, 0x100000).host
    before = host.read_bytes()
    with open_image(host) as image:
        with pytest.raises(ReadOnlyError):
            image.write(0, b"\0")
        assert image.read(0, 16) == before[:16]
    assert host.read_bytes() == before


def test_file_systems_are_mounted_again_after_bytes_were_written(tmp_path: Path) -> None:
    place = make_image(tmp_path, SMALL, 0x100000)
    other = make_bare(tmp_path, SMALL, {b"/only.py": b"other"}).host.read_bytes()
    with open_image(place.host, "r+") as image:
        stream = image.main.fs.open("/main.py", "rb")
        image.write(SMALL.base, other)
        with pytest.raises(ValueError):  # as of a closed file
            stream.read()
        assert image.read_bytes("/flash/only.py") == b"other"
        image.commit()
    with open_image(place.host) as image:
        assert [entry.name for entry in image.scandir("/flash")] == ["only.py"]


# A card that fails after the journal is whole


class Failure:
    """Lets a card fail in its first write, its sync, or what it reads back."""

    def __init__(self, patch: pytest.MonkeyPatch, call: str) -> None:
        sound: Callable[..., object] = getattr(FileSectors, call)

        def failing(card: FileSectors, *arguments: object) -> object:
            if card.read_only:
                return sound(card, *arguments)
            if call == "read":
                return bytes(len(sound(card, *arguments)))  # type: ignore[arg-type]
            raise SectorError("the card is worn")

        patch.setattr(FileSectors, call, failing)


@pytest.mark.parametrize("call", ["write", "sync", "read"])
def test_card_that_fails_while_it_is_written_is_finished_by_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    card = make_card(tmp_path / "card.img", 16)
    with (
        monkeypatch.context() as patch,
        pytest.raises(TargetError) as caught,
        open_image(card, "r+") as image,
    ):
        image.write_bytes("/main.py", b"new" * 900)
        Failure(patch, call)
        image.commit()
    assert caught.value.hint
    assert journal_of(card).exists()
    with open_image(card) as image:  # readers see the new state, and write nothing
        assert image.read_bytes("/main.py") == b"new" * 900
    assert journal_of(card).exists()
    open_image(card, "r+").close()
    assert not journal_of(card).exists()
    assert tree_of(card) == {**CARD_FILES, "/main.py": b"new" * 900}


# Identification


@pytest.mark.parametrize("make", ["flash", "spiffs", "card", "board", "text"])
def test_identification_is_plain_values_and_knows_what_can_be_opened(
    tmp_path: Path, make: str
) -> None:
    if make == "card":
        host = make_card(tmp_path / "card.img", 16)
    elif make == "text":
        host = tmp_path / "notes.txt"
        host.write_text("A note.\n")
    else:
        makers = {
            "flash": lambda: make_image(tmp_path, SMALL, 0x100000),
            "spiffs": lambda: make_bare(tmp_path, SMALL, FILES),
            "board": lambda: make_board(tmp_path, SMALL, 0x100000),
        }
        host = makers[make]().host
    found = identify(host)
    values = json.loads(json.dumps(found.as_dict()))
    assert values["kind"] == str(found.kind) and values["description"] == found.description
    assert found.is_image == (make != "text")
    assert (found.kind is FileKind.TEXT) == (make == "text")
