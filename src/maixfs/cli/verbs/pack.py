"""``maixfs pack``: a folder becomes an image."""

from __future__ import annotations

from pathlib import Path

import click

from maixfs.cli.layout import NewLayout, layout_options
from maixfs.cli.options import bytes_option, follow_option, force_option, json_option
from maixfs.cli.place import WHOLE
from maixfs.cli.progress import Progress
from maixfs.cli.proof import draw_proof
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb
from maixfs.cli.wording import count_text


@verb(
    "pack",
    ("maixfs pack data -o fs.img", "An image for address 0xD00000 of a MaixPy board."),
    ("maixfs pack data -o new.bin --like dump.bin --whole-flash", "In the shape of a real flash."),
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option(
    "-o", "--output", metavar="IMG", required=True, type=WHOLE, help="The image to make."
)
@layout_options
@click.option(
    "--spare-blocks",
    type=click.IntRange(min=0),
    default=2,
    metavar="COUNT",
    help="Blocks that stay empty (default: 2; with fewer the board cannot write).",
)
@follow_option
@force_option
@bytes_option
@json_option
def pack(
    screen: Screen,
    folder: str,
    output: str,
    layout: NewLayout,
    spare_blocks: int,
    follow_links: bool,
    force: bool,
) -> None:
    """Files are laid out page by page, so that they fit where copying one by one would not. The
    same files give the same bytes. SPIFFS has no folders: those in DIR become parts of names.
    """
    from maixfs.target import pack_folder

    geometry, flash_size = layout.resolve()
    with Progress(screen) as progress:
        packed = pack_folder(
            Path(folder),
            Path(output),
            geometry,
            spare_blocks=spare_blocks,
            follow_links=follow_links,
            whole_flash=flash_size or False,
            force=force,
            progress=progress,
        )
    for warning in packed.warnings:
        screen.note(warning)
    if screen.json:
        screen.emit(
            {
                "written": {"path": packed.path, "size": packed.size, "sha256": packed.sha256},
                "changed": packed.changed,
                "files": packed.files,
                "pages": packed.pages,
                "warnings": packed.warnings,
            }
        )
        return
    files = f"{count_text(packed.files, 'file')} in {count_text(packed.pages, 'page')}"
    draw_proof(screen, packed.path, packed.size, packed.sha256, packed.changed, files)
