"""A chip that fails is reported; it is not taken for a missing file or a damaged model."""

from __future__ import annotations

import pytest

from board.desk import Desk
from maixfs.board.runtime import Runtime
from maixfs.nor import NorError

CONFIG = "import Maix\nprint(Maix.config.get_value('a', 'default'))"
MODEL = "import KPU as kpu\nkpu.load('/flash/m.kmodel')"


def fail(*_: object) -> None:
    raise NorError("the adapter was unplugged")


def test_config_with_a_failing_chip_is_not_the_default(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtimes: list[Runtime] = []
    real = Runtime.__init__

    def noted(self: Runtime, *rest: object, **more: object) -> None:
        real(self, *rest, **more)  # type: ignore[arg-type]
        runtimes.append(self)

    monkeypatch.setattr(Runtime, "__init__", noted)
    with desk.on() as board:
        runtimes[-1].maix_config._open = fail
        with pytest.raises(NorError, match="unplugged"):
            board.run(CONFIG)


def test_model_on_a_failing_chip_is_not_called_unreadable(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.on() as board:
        monkeypatch.setattr(board.vfs, "open_native", fail)
        with pytest.raises(NorError, match="unplugged"):
            board.run(MODEL)
