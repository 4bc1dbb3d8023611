# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program as a whole: the exit status of each command, where its words go, and `status --watch`."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.command import (
    changes,
    drain,
    journal,
    main,
    repair,
    status,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.command.failure import CommandFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.command.host_state import HostState
from ansible_collections.multihome.linux.plugins.module_utils._core.info import checkpoints

WORKS = HostState("fw-a", True, {"running": True, "since": "2026-01-31T12:00:00Z"})
BROKEN = HostState("fw-a", True, {"running": True, "refused": [{"file": "lines.json", "reason": "not JSON"}]})


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)


class Stop(io.StringIO):
    """A stream; ``terminal`` says whether it is one."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """Say so."""
        return self._terminal


def interrupted_after(times: int) -> Callable[[float], None]:
    """A sleep that ends with Ctrl-C after so many times."""
    left = [times]

    def sleep(_seconds: float) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return sleep


@pytest.mark.parametrize("terminal", [True, False])
def test_status_is_repeated_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    states = iter([WORKS, BROKEN, WORKS])
    monkeypatch.setattr(main, "read_host_state", lambda: next(states))
    monkeypatch.setattr(time, "sleep", interrupted_after(3))
    out = Stop(terminal)
    assert main.main(["status", "--watch", "0.5"], out) == 130
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", out.getvalue())
    assert [row.split()[0] for row in plain.splitlines() if "fw-a" in row] == ["OK", "CRITICAL", "OK"]
    # The screen is cleared where there is one; a file gets one state after the other.
    assert (main._CLEAR in out.getvalue()) == terminal


def test_status_once_without_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(_seconds: float) -> None:
        raise AssertionError("it does not wait")

    monkeypatch.setattr(time, "sleep", sleep)
    for state, expected in ((WORKS, 0), (BROKEN, 2)):
        monkeypatch.setattr(main, "read_host_state", lambda state=state: state)
        out = io.StringIO()
        assert main.main(["status", "--json"], out) == expected
        assert json.loads(out.getvalue())["status"] == ["ok", "", "critical"][expected]


@pytest.mark.parametrize("seconds", ["0", "x", "99999"])
def test_an_interval_that_is_none(seconds: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["status", "--watch", seconds])
    assert ended.value.code == 3


def fails(*_arguments: Any, **_options: Any) -> Any:
    raise CommandFailed("it cannot be done; do something else")


def forbidden(*_arguments: Any, **_options: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def stumbles(*_arguments: Any, **_options: Any) -> Any:
    raise KeyError("nobody thought of it")


# A Python program ends with 1 after what nobody thought of, which is a warning to monitoring.
@pytest.mark.parametrize("failure", [fails, forbidden, stumbles])
@pytest.mark.parametrize(
    ("arguments", "place", "name"),
    [
        (["status"], main, "read_host_state"),
        (["explain", "web"], main, "Kernel"),
        (["repair"], repair, "repair"),
        (["log"], journal, "entries"),
        (["drain", "a"], drain, "drain"),
        (["undrain", "a"], drain, "undrain"),
        (["confirm"], changes, "confirm"),
        (["revert"], changes, "revert"),
        (["revert", "--list"], checkpoints, "read"),
    ],
)
def test_a_command_that_cannot_do_its_work_ends_as_unknown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    place: Any,
    name: str,
    failure: Callable[..., Any],
) -> None:
    monkeypatch.setattr(place, name, failure)
    out = io.StringIO()
    assert main.main(arguments, out) == 3
    said = capsys.readouterr().err
    assert said.startswith("multihome: ")
    assert "Traceback" not in said
    assert out.getvalue() == ""


def test_draining_and_taking_back_end_well(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def drained(*given: Any) -> dict[str, str]:
        asked.append(given)
        return {"line": "a", "until": "04:00"}

    monkeypatch.setattr(drain, "drain", drained)
    monkeypatch.setattr(drain, "undrain", lambda line: {"line": line})
    out = io.StringIO()
    assert main.main(["drain", "a", "--reason", "new cable", "--for", "2h", "--force"], out) == 0
    assert out.getvalue() == "a is drained until 04:00.\n"
    [(line, reason, until, force)] = asked
    assert (line, reason, until is not None, force) == ("a", "new cable", True, True)
    out = io.StringIO()
    assert main.main(["undrain", "a", "--json"], out) == 0
    assert json.loads(out.getvalue())["line"] == "a"
    # Two ends at once, and an end that is none.
    with pytest.raises(SystemExit) as ended:
        main.main(["drain", "a", "--for", "2h", "--until", "04:00"])
    assert ended.value.code == 3
    assert main.main(["drain", "a", "--for", "soon"], io.StringIO()) == 3


@pytest.mark.parametrize(("result", "expected"), [({"changed": True}, 0), ({"changed": False}, 1)])
def test_confirming_and_reverting_tell_whether_there_was_anything(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], expected: int
) -> None:
    for name in ("confirm", "revert"):
        monkeypatch.setattr(changes, name, lambda *_given: result)
        monkeypatch.setattr(changes, f"{name}ed_text" if name == "confirm" else "reverted_text", lambda *_given: "x")
        assert main.main([name], io.StringIO()) == expected


def test_a_default_route_of_another_program_is_a_warning() -> None:
    entry = {
        "message": "the IPv4 default route via 192.0.2.1 is preferred",
        "remedy": "give it a metric above 40000000",
    }
    state = HostState("h", True, {**WORKS.keeper, "taken_defaults": [entry]})
    [problem] = status.problems(state)
    assert (problem.level, problem.text, problem.remedy) == ("warning", entry["message"], entry["remedy"])
