# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines out of service by command: the file outlives a reboot, ends by itself, and spares the last usable line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.health import drained
from ansible_collections.multihome.linux.plugins.module_utils._core.health.drained import Drained

KNOWN = {"lines": {"a": {"ipv4": {"usable": True}}, "b": {"ipv4": {"usable": False}, "ipv6": {"usable": True}}}}
HOUR = Drained("a", "new cable", "2026-01-31T21:00:00Z", "2026-01-31T22:00:00Z")


def test_the_file_is_as_documented(tmp_path: Path) -> None:
    drained.write([HOUR, Drained("b")], str(tmp_path / "multihome"))
    path = tmp_path / "multihome" / "drained.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {
        "version": 1,
        "kind": "drained",
        "drained": [
            {"line": "a", "reason": "new cable", "since": "2026-01-31T21:00:00Z", "until": "2026-01-31T22:00:00Z"},
            {"line": "b"},
        ],
    }
    assert drained.read(str(tmp_path / "multihome")) == [HOUR, Drained("b")]


def test_without_lines_there_is_no_file(tmp_path: Path) -> None:
    assert drained.read(str(tmp_path)) == []
    drained.write([HOUR], str(tmp_path))
    drained.write([], str(tmp_path))
    drained.write([], str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_it_ends_by_itself() -> None:
    end = drained.moment_of("2026-01-31T22:00:00Z")
    assert drained.as_text(end) == "2026-01-31T22:00:00Z"
    both = [HOUR, Drained("b")]
    assert drained.in_force(both, end - 1) == both
    assert drained.next_end(both, end - 1) == end
    assert drained.in_force(both, end) == [Drained("b")]
    assert drained.next_end(both, end) is None


def test_draining_and_taking_back(tmp_path: Path) -> None:
    drained.drain(
        Drained("b", "first"), directory=str(tmp_path), known={"lines": {**KNOWN["lines"], "c": KNOWN["lines"]["b"]}}
    )
    drained.drain(
        Drained("b", "second"), directory=str(tmp_path), known={"lines": {**KNOWN["lines"], "c": KNOWN["lines"]["b"]}}
    )
    assert drained.read(str(tmp_path)) == [Drained("b", "second")]
    assert not drained.undrain("a", str(tmp_path))
    assert drained.undrain("b", str(tmp_path))
    assert drained.read(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a", "a is the last usable line for IPv4; --force drains it all the same"),
        ("b", "b is the last usable line for IPv6; --force drains it all the same"),
        ("c", 'no line is called "c"'),
    ],
)
def test_the_last_usable_line_stays_in_service(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(InvalidInput) as error:
        drained.drain(Drained(line), directory=str(tmp_path), known=KNOWN)
    assert str(error.value) == said
    assert list(tmp_path.iterdir()) == []
    drained.drain(Drained(line), force=True, directory=str(tmp_path), known=KNOWN)
    assert drained.read(str(tmp_path)) == [Drained(line)]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"reason": "x"}, "line is missing"),
        ({"line": "a", "until": "tomorrow"}, 'until "tomorrow": not a time such as 2026-01-31T22:00:00Z'),
        ({"line": "a", "reason": "x" * 201}, "longer than 200 characters"),
        ({"line": "a", "forever": True}, 'unknown field "forever"'),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, entry: object, said: str) -> None:
    text = json.dumps({"version": 1, "kind": "drained", "drained": [entry]})
    (tmp_path / "drained.json").write_text(text)
    (tmp_path / "drained.json").chmod(0o600)
    with pytest.raises(InvalidInput) as error:
        drained.read(str(tmp_path))
    assert said in str(error.value)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drained.json").write_text("{")
    (tmp_path / "drained.json").chmod(0o600)
    with pytest.raises(InvalidInput, match="move the file away"):
        drained.read(str(tmp_path))
