"""The verb table: every verb of the command line, and what ``maixfs --help`` says.

A verb is one row here and one function elsewhere. Help, groups, completion and tests derive from
the table. It imports nothing, so that the overview is printed without loading a verb or click.
"""

from __future__ import annotations

BOARD = "Virtual board"
READ = "Read (nothing is written)"
CHANGE = "Change"
IMAGES = "Whole images"
FLASH = "Flash"
CARDS = "SD cards"
OTHER = "Other"
SECTIONS = (BOARD, READ, CHANGE, IMAGES, FLASH, CARDS, OTHER)


class Row:
    """A verb: its name, where its command is, its line of help and its section.

    ``name`` is ``"ls"``, or ``"sd new"`` for the verb ``new`` of the group ``sd``. ``command`` is
    ``"module:name"`` of a click command, imported when the verb is run or its help is printed. A
    verb of a group has no section.
    """

    __slots__ = ("command", "name", "section", "sentence")

    def __init__(self, name: str, command: str, sentence: str, section: str = "") -> None:
        self.name = name
        self.command = f"maixfs.cli.{command}"
        self.sentence = sentence
        self.section = section


ROWS = (
    Row("new", "verbs.new:new", "Make a virtual board: a folder that holds its flash.", BOARD),
    Row("run", "verbs.run:run", "Start a board and run a script on it.", BOARD),
    Row("info", "verbs.info:info", "Show what an image or board is and contains.", READ),
    Row("doctor", "verbs.doctor:doctor", "Find problems, their causes and fixes.", READ),
    Row("ls", "verbs.ls:ls", "List files and folders.", READ),
    Row("tree", "verbs.tree:tree", "Show files and folders as a tree.", READ),
    Row("cat", "verbs.cat:cat", "Write the bytes of files to stdout.", READ),
    Row("stat", "verbs.stat:stat", "Show all details of a file.", READ),
    Row("df", "verbs.df:df", "Show used and free space.", READ),
    Row("du", "verbs.du:du", "Show how much space files and folders use.", READ),
    Row("hex", "verbs.hex:hex", "Show bytes with the names of their fields.", READ),
    Row("explain", "verbs.hex:explain", "Explain a byte of an image in a sentence.", READ),
    Row("map", "verbs.map:map", "Show the layout, usage and wear of a whole flash.", READ),
    Row("diff", "verbs.diff:diff", "Show what differs between two images, and why.", READ),
    Row("cp", "verbs.cp:cp", "Copy files and folders to, from and between targets.", CHANGE),
    Row("mv", "verbs.mv:mv", "Rename files and folders.", CHANGE),
    Row("rm", "verbs.rm:rm", "Remove files and folders.", CHANGE),
    Row("mkdir", "verbs.mkdir:mkdir", "Make folders.", CHANGE),
    Row("gc", "verbs.gc:gc", "Free the pages that hold deleted data.", CHANGE),
    Row("mkfs", "verbs.pack:mkfs", "Make an image with an empty file system.", IMAGES),
    Row("pack", "verbs.pack:pack", "Make an image from a folder.", IMAGES),
    Row("unpack", "verbs.unpack:unpack", "Copy all files of a target into a folder.", IMAGES),
    Row("build", "verbs.build:build", "Compose a flash from firmware, models and files.", IMAGES),
    Row("split", "verbs.build:split", "Split a flash into parts and a recipe for build.", IMAGES),
    Row("flash", "verbs.flash:flash", "Read, write and erase raw bytes of a flash.", FLASH),
    Row("flash read", "verbs.flash:read_verb", "Copy bytes of a flash into a file, or to stdout."),
    Row("flash write", "verbs.flash:write_verb", "Write a file into a flash at an address."),
    Row("flash erase", "verbs.flash:erase_verb", "Erase sectors of a flash."),
    Row("model", "verbs.model:model", "Show models and whether a board loads them.", FLASH),
    Row("model info", "verbs.model:info_verb", "Show the models of a file or a flash."),
    Row("firmware", "verbs.firmware:firmware", "Show, make and unwrap firmware images.", FLASH),
    Row("firmware info", "verbs.firmware:info_verb", "Show a firmware image and check its hash."),
    Row("firmware wrap", "verbs.firmware:wrap_verb", "Make a firmware image from a program."),
    Row("firmware unwrap", "verbs.firmware:unwrap_verb", "Extract the program of an image."),
    Row("kfpkg", "verbs.kfpkg:kfpkg", "Make, check and apply packages for flashers.", FLASH),
    Row("kfpkg make", "verbs.kfpkg:make_verb", "Make a package that every flasher reads."),
    Row("kfpkg list", "verbs.kfpkg:list_verb", "List the files and addresses of a package."),
    Row("kfpkg verify", "verbs.kfpkg:verify_verb", "Check what would go wrong on flashing it."),
    Row("kfpkg extract", "verbs.kfpkg:extract_verb", "Copy the files of a package into a folder."),
    Row("kfpkg apply", "verbs.kfpkg:apply_verb", "Write a package into a board or a dump."),
    Row("kboot", "verbs.kboot:kboot", "Show and change what Kboot starts.", FLASH),
    Row("kboot show", "verbs.kboot:show_verb", "Show Kboot's entries and which one it starts."),
    Row("kboot set", "verbs.kboot:set_verb", "Change an entry of Kboot, or its boot flags."),
    Row("sd", "sd.make:sd", "Make, check, convert, insert and copy SD cards.", CARDS),
    Row("sd new", "sd.make:new_verb", "Make a card image with partitions and FAT."),
    Row("sd info", "sd.look:info_verb", "Show partitions, volumes and free space of a card."),
    Row("sd doctor", "sd.look:doctor_verb", "Explain why a board does not mount a card."),
    Row("sd fix", "sd.make:fix_verb", "Convert a card into one that boards mount."),
    Row("sd insert", "sd.drive:insert_verb", "Put a card into the slot of a virtual board."),
    Row("sd eject", "sd.drive:eject_verb", "Take the card out of the slot of a virtual board."),
    Row("sd write", "sd.drive:write_verb", "Write a card image to a card in a reader."),
    Row("sd read", "sd.drive:read_verb", "Read a card in a reader into an image."),
    Row("completion", "verbs.completion:completion", "Print a shell's completion script.", OTHER),
)  # fmt: skip


OTHER_NAMES = {
    "get": "maixfs cp TARGET:PATH DIR copies files out of a target",
    "put": "maixfs cp FILE TARGET:PATH copies files into a target",
    "extract": "maixfs unpack TARGET DIR copies all files into a folder",
    "check": "maixfs doctor TARGET finds problems and their fixes",
    "fsck": "maixfs doctor TARGET finds problems and their fixes",
    "repair": "maixfs doctor --help lists what can be fixed; maixfs sd fix converts cards",
    "format": "maixfs mkfs IMG makes an empty file system, maixfs sd new SIZE OUT a card",
    "erase": "maixfs flash erase IMG ADDRESS LENGTH erases sectors",
    "read": "maixfs flash read reads a flash, maixfs sd read a card",
    "write": "maixfs flash write writes to a flash, maixfs sd write to a card",
    "dir": "maixfs ls TARGET lists files",
    "list": "maixfs ls TARGET lists files",
    "copy": "maixfs cp SOURCE... DESTINATION copies files",
    "move": "maixfs mv TARGET:PATH TARGET:PATH renames files",
    "delete": "maixfs rm TARGET:PATH removes files",
    "create": "maixfs new BOARD makes a board, maixfs mkfs IMG an image",
}
"""What people type from other tools, and the verb for it."""


def rows(group: str = "") -> dict[str, Row]:
    """Return the rows of a group by the verb's last word; ``""`` has the top level and groups."""
    by_name = {}
    for row in ROWS:
        head, _, name = row.name.rpartition(" ")
        if head == group:
            by_name[name] = row
    return by_name


# The overview. What click writes for other helps is written here by hand, in its style: loading
# click takes longer than everything else that an overview needs.

ABOUT = (
    "The storage of a MaixPy board: SPI flash, SPIFFS, SD card and a virtual board.",
    "A TARGET is the folder of a virtual board, an image or dump of a flash, a SPIFFS image, or a"
    " card (image or drive). Its kind and its file systems are detected. TARGET:PATH is a file or"
    " folder in it: board:/flash/main.py, board:/sd/main.py, card.img:/main.py. On a card this is"
    " the first partition that a board mounts; card.img@2 selects the second. On a board, paths"
    ' without /flash or /sd are in /flash. The default TARGET is the folder "board"; :PATH is a'
    " path in it.",
)
EXAMPLES = (
    (
        "maixfs run hello.py",
        'Run a script on the board in the folder "board"; make it if missing.',
    ),
    ("maixfs dump.bin", "Show what is in the dump of a flash."),
)
OPTIONS = (
    ("--version", "Print the version."),
    ("--color WHEN", "Colours: auto (on a terminal, unless NO_COLOR is set), always or never."),
    ("--plain", "Print no drawings and no columns, for screen readers."),
    ("--debug", "Show the traceback of an error."),
    ("-h, --help", "Show this message and exit."),
)
NOTES = (
    (
        "Exit codes",
        (
            ("0", "Success."),
            ("1", "A problem was found, or the operation failed."),
            ("2", "Wrong usage; nothing was done."),
            ("130", "Interrupted with Ctrl-C."),
        ),
    ),
    (
        "Environment",
        (
            ("NO_COLOR", "No colours, even on a terminal."),
            ("FORCE_COLOR", "Colours, even in a pipe."),
            ("MAIXFS_DEBUG", "Same as --debug, for every run."),
        ),
    ),
)
WIDTH = 100
"""Columns that help takes at most, on a wider terminal too."""


def overview(columns: int) -> str:
    """Return the text of ``maixfs --help`` for a terminal of ``columns`` columns."""
    width = max(min(columns, WIDTH) - 2, 50)
    lines = ["Usage: maixfs VERB [OPTIONS] ...", "       maixfs TARGET"]
    for text in ABOUT:
        lines += ["", *("  " + line for line in _fold(text, width - 2))]
    longest = max(len(name) for name in rows())
    for section in SECTIONS:
        verbs = [(name, row.sentence) for name, row in rows().items() if row.section == section]
        lines += _definitions(section, verbs, width, longest)
    lines += _definitions("Options", OPTIONS, width)
    lines += ["", "Examples:"]
    for line, meaning in EXAMPLES:
        lines += [f"  {line}", f"      {meaning}"]
    for title, notes in NOTES:
        lines += _definitions(title, notes, width)
    return "\n".join(lines)


def _definitions(
    title: str,
    pairs: tuple[tuple[str, str], ...] | list[tuple[str, str]],
    width: int,
    least: int = 0,
) -> list[str]:
    """Return a heading and two columns: a name, and its text folded beside it."""
    column = max(least, *(len(name) for name, _ in pairs)) + 2
    lines = ["", f"{title}:"]
    for name, text in pairs:
        first, *rest = _fold(text, width - 2 - column)
        lines.append(f"  {name:<{column}}{first}")
        lines += [" " * (2 + column) + line for line in rest]
    return lines


def _fold(text: str, width: int) -> list[str]:
    """Return a text in lines of at most ``width`` letters."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines
