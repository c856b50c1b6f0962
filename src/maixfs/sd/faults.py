"""How real cards misbehave, as switches of a simulated one.

Each switch is something that users of real cards have reported, or that the specification warns
of. All are off by default, and can be thrown while the card is in use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ALWAYS = 1 << 60
"""For a switch that counts down: every time."""


@dataclass(slots=True)
class Faults:
    """The switches of one card.

    At the start: ``cmd0_tries`` is at which CMD0 the card answers; ``cmd0_answer`` what it says
    then instead of 0x01; ``refuses_spi`` says nothing at all; ``cmd8_echo`` is what it returns for
    the check pattern; ``init_time`` (ns) replaces the time of ACMD41, which ``never_ready`` makes
    endless; ``sticky_idle`` keeps the idle bit set in every response after that; ``refused``
    are commands that are answered as illegal (59: no CRC; 23 after CMD55 is ``refused_app``).

    In use: ``read_tokens`` maps sectors to the error token that comes instead of them,
    ``write_errors`` are sectors answered with 0x0D; ``drops_writes`` shows what is written
    until power is cut, and then what was there before; ``busy_every`` (n, ns) makes every nth
    block busy for so long; ``hangs_after`` counts the blocks written until busy lasts for ever;
    ``real_sectors`` is what a card with a fake capacity has: what lies past that wraps;
    ``dip_after`` counts the commands until power dips for a moment; ``removed_after`` those until
    the card is pulled out; ``flipped_reads`` and ``flipped_writes`` count blocks that lose a bit
    on the line; ``flipped_commands`` count commands; ``stuff_byte`` is what follows CMD12;
    ``needs_toggle`` ignores a command unless chip select was high since the last one;
    ``line`` is a level that MISO is stuck at (0x00 or 0xFF). A count of -1 never comes.
    """

    cmd0_tries: int = 1
    cmd0_answer: int | None = None
    refuses_spi: bool = False
    cmd8_echo: int | None = None
    init_time: int | None = None
    never_ready: bool = False
    sticky_idle: bool = False
    refused: set[int] = field(default_factory=set)
    refused_app: set[int] = field(default_factory=set)
    read_tokens: dict[int, int] = field(default_factory=dict)
    write_errors: set[int] = field(default_factory=set)
    drops_writes: bool = False
    busy_every: tuple[int, int] = (0, 0)
    hangs_after: int = -1
    real_sectors: int | None = None
    dip_after: int = -1
    removed_after: int = -1
    flipped_reads: int = 0
    flipped_writes: int = 0
    flipped_commands: int = 0
    stuff_byte: int = 0xFF
    needs_toggle: bool = False
    line: int | None = None

    def __bool__(self) -> bool:
        """Whether any switch is thrown."""
        return self != _HEALTHY


_HEALTHY = Faults()
