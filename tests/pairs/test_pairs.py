"""A sample of the campaign: pairs of commands on one medium at the same time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairs.campaign import MEDIA, Pair, chosen, pairs, run_pair

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
SAME = [
    Pair("spiffs", "cp", "cp-over"),
    Pair("flash", "cp-r", "cp-r"),
    Pair("card", "mv", "rm-r"),
    Pair("spiffs", "rm", "pack"),
]

CASES = [*((pair, 0) for pair in SAME), *chosen(21, 8)]


@pytest.mark.parametrize(("pair", "delay"), CASES, ids=str)
def test_commands_at_the_same_time_lose_no_update(
    pair: Pair, delay: float, tmp_path: Path
) -> None:
    assert run_pair(pair, tmp_path, delay) in ("one after the other", "refused")


def test_every_medium_and_verb_takes_part() -> None:
    kinds = pairs()
    assert {pair.kind for pair in kinds} == set(MEDIA)
    verbs = {name for pair in kinds for name in (pair.first, pair.second)}
    assert verbs >= {"cp", "mv", "rm", "mkdir", "gc", "pack", "write", "erase", "kboot0", "unpack"}
