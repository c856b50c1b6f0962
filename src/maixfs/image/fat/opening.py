"""Open the volumes of a card: an image, a block device, or what lies in the slot of a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.fat import FatError
from maixfs.host.files import Stamp, refuse_protected, status_of
from maixfs.image.errors import NoFileSystemError, TargetError
from maixfs.image.fat.changing import FatVolume
from maixfs.image.fat.medium import CardMedium, no_image
from maixfs.image.fat.partition import Partition, find_partition, mounted_partitions
from maixfs.image.paths import Mount
from maixfs.sd.errors import SectorError

if TYPE_CHECKING:
    from maixfs.image.source import Source


def open_card(
    source: Source, slot: int | None, *, writable: bool, force: bool = False
) -> FatVolume:
    """Open one volume of a card image or block device; raises as ``open_target``."""
    medium = CardMedium(source.file, source.stamp, writable=writable)
    try:
        partition = find_partition(medium.device, slot, str(source.host))
        mount = Mount((), alias=partition.name)
        return _mounted(source.host, medium, partition, mount, force=force)
    except BaseException:
        medium.close()
        raise


def open_board_card(source: Source, *, writable: bool, force: bool = False) -> list[FatVolume]:
    """Open what a board mounts of the card in its slot; none where the slot is empty.

    Raises ``NoFileSystemError`` for a card that it would not mount.
    """
    if source.config is None or source.folder is None:
        return []
    config = source.config.sd
    image = config.path(source.folder)
    if image is None:
        return []
    if not image.exists():
        raise no_image(image, source.folder)
    status = status_of(image, devices=True)
    if writable and config.read_only:
        raise TargetError(
            f"{image}: this board's card is write-protected", hint="board.toml says so, under [sd]"
        )
    if writable:
        refuse_protected(image, status)
    medium = CardMedium(image, Stamp.of(status), writable=writable)
    try:
        partitions = mounted_partitions(medium.device)
        if not partitions:
            volume = find_partition(medium.device, None, str(image))
            raise NoFileSystemError(
                f"{image}: {volume.findings[0].what}",
                hint=f"maixfs sd doctor {image} says more",
            )
        if not config.mount_all:
            del partitions[1:]
        return [
            _mounted(source.host, medium, partition, Mount((partition.name,)), force=force)
            for partition in partitions
        ]
    except BaseException:
        medium.close()
        raise


def _mounted(
    host: Path, medium: CardMedium, partition: Partition, mount: Mount, *, force: bool
) -> FatVolume:
    try:
        return FatVolume(host, medium, partition, mount, force=force)
    except (FatError, SectorError) as error:
        raise NoFileSystemError(
            f"{host}: the volume does not mount: {error}", hint=f"maixfs sd doctor {host}"
        ) from error
