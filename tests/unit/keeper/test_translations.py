# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper looks for translations of other programs, and says each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import Unsupported
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.translations import (
    INTERVAL,
    PAUSE,
    TranslationCheck,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.foreign import FIRST, Foreign
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule
from ansible_collections.multihome.linux.tests.unit.nat.engines import nft_engine
from ansible_collections.multihome.linux.tests.unit.nat.fake_nft import FakeNft

TAKEN = Foreign("nft table ip nat, chain c", "Docker", "DNAT port 80", NatRule(4, "dnat", name="web"), 1, FIRST)


def test_a_finding_is_logged_once_reported_and_logged_again_when_it_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    present: list[Foreign] = [TAKEN]
    check = TranslationCheck(lambda _engine: present)
    engine = nft_engine([], FakeNft())
    for now in (0.0, INTERVAL):
        check.check(engine, now)
    said = capsys.readouterr().err
    assert said.count("DNAT port 80 of Docker is asked first, and takes connections of the entry web") == 1
    assert [one["place"] for one in check.report()] == [TAKEN.place]
    present[:] = [replace(TAKEN, rule="DNAT port 81")]
    check.check(engine, 2 * INTERVAL)
    said = capsys.readouterr().err
    assert "rule DNAT port 80 takes no connection of an entry any more" in said
    assert "DNAT port 81" in said
    check.forget()
    assert (check.report(), check.next_time) == ([], float("inf"))


def test_it_looks_soon_after_a_change_and_not_after_each_of_many() -> None:
    check = TranslationCheck(lambda _engine: ())
    check.check(nft_engine([], FakeNft()), 100.0)
    assert check.next_time == 100.0 + INTERVAL
    check.changed(100.5)
    assert check.next_time == 100.0 + PAUSE
    check.changed(150.0)
    assert check.next_time == 100.0 + PAUSE


def test_a_ruleset_that_cannot_be_read_keeps_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Foreign | None] = [TAKEN, None]

    def ask(_engine: NatEngine) -> Sequence[Foreign]:
        answer = answers.pop(0)
        if answer is None:
            raise Unsupported("nft", "the rights of root", "an ordinary user")
        return [answer]

    check = TranslationCheck(ask)
    for now in (0.0, 1.0):
        check.check(nft_engine([], FakeNft()), now)
    assert len(check.report()) == 1
    assert "translations of other programs: " in capsys.readouterr().err
