# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module takes the lines for: as the keeper that runs has judged them, and as usable where none runs."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.health import gate, state
from ansible_collections.multihome.linux.plugins.module_utils._core.health.observed import observed
from ansible_collections.multihome.linux.plugins.module_utils._core.health.usable_lines import Usable

LINES = [{"name": "a", "id": 1, "interface": "eth0", "addresses": ["192.0.2.10"], "mark": "0x1/0xff"}]
CHOSEN = {4: Usable(("b", "a"), frozenset(("a",)))}


def store(directory: Path, text: str | None = None) -> None:
    (directory / "lines.json").write_text(text or json.dumps({"version": 1, "kind": "lines", "lines": LINES}))
    (directory / "lines.json").chmod(0o600)


@contextmanager
def keeper(directory: Path) -> Iterator[None]:
    """A keeper that runs, as its lock shows."""
    with (directory / "keeper.alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        yield


def test_the_judgement_of_a_keeper_that_runs_counts(tmp_path: Path) -> None:
    store(tmp_path)
    state.write(state.as_json([], {}, 1.0, "", "b", CHOSEN), str(tmp_path))
    with keeper(tmp_path):
        found = observed(str(tmp_path), str(tmp_path))
    assert found is not None
    assert found.usable == CHOSEN
    [line] = found.lines
    assert (line.name, line.id, line.interface, line.mark) == ("a", 1, "eth0", (1, 255))
    assert list(line.addresses) == ["192.0.2.10"]


def test_the_last_word_of_a_keeper_that_ended_does_not_count(tmp_path: Path) -> None:
    store(tmp_path)
    state.write(state.as_json([], {}, 1.0, "", "b", CHOSEN), str(tmp_path))
    found = observed(str(tmp_path), str(tmp_path))
    assert found is not None
    assert found.usable == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"usable": 3}', '{"usable": {"ipv4": {}}}', '{"usable": {"ipv4": 1}}']
)
def test_a_judgement_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    store(tmp_path)
    (tmp_path / "health.json").write_text(text)
    with keeper(tmp_path):
        found = observed(str(tmp_path), str(tmp_path))
    assert found is not None
    assert found.usable == {}


def test_without_stored_lines_there_is_nothing_to_observe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert observed(str(tmp_path), str(tmp_path)) is None
    monkeypatch.setattr(gate, "DIRECTORY", str(tmp_path))
    assert gate.allowed_by_health("policy_routing", {"tables": []})() is None


@pytest.mark.parametrize(
    "text", ["{", '{"version": 1, "kind": "lines", "lines": [{}]}', '{"version": 1, "kind": "lines", "lines": [7]}']
)
def test_lines_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    store(tmp_path, text)
    with pytest.raises(InvalidInput, match=r"lines\.json"):
        observed(str(tmp_path), str(tmp_path))
