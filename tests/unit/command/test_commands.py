# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other commands: drain and undrain, repair, log; and the documented outputs."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.command import changes, drain, journal, repair
from ansible_collections.multihome.linux.plugins.module_utils._core.command import main as command_main
from ansible_collections.multihome.linux.plugins.module_utils._core.command.failure import CommandFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.command.pending import Pending, pending
from ansible_collections.multihome.linux.plugins.module_utils._core.command.terminal import WIDTH, Page
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.health import state as health_state
from ansible_collections.multihome.linux.plugins.module_utils._core.host import programs
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.report import Report, process

DOCS = Path(__file__).resolve().parents[3] / "docs"
NOW = datetime.datetime(2026, 1, 31, 12, 0).timestamp()
HEALTH = {
    "lines": {
        "unicom": {"ipv4": {"state": "up", "usable": True}, "ipv6": {"state": "up", "usable": True}},
        "interlink": {"ipv4": {"state": "up", "usable": True}, "ipv6": {"state": "down", "usable": False}},
        "spare": {"ipv4": {"state": "drained", "usable": False}},
    }
}


# -------------------------------------------------------------------- drain
@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30min", 1800), ("30m", 1800), ("2h", 7200), ("1h30min", 5400), ("1d", 86400)]
)
def test_durations(text: str, seconds: int) -> None:
    assert drain.moment_after(text, NOW) == NOW + seconds


@pytest.mark.parametrize("text", ["9999999d", "99999999999999999d", "9" * 400 + "h"])
def test_a_duration_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        drain.moment_after(text, NOW)


@pytest.mark.parametrize("text", ["", "2", "h", "2 hours", "-1h", "1h x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        drain.moment_after(text, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13:30", datetime.datetime(2026, 1, 31, 13, 30).timestamp()),
        ("04:00", datetime.datetime(2026, 2, 1, 4, 0).timestamp()),
        ("2026-02-01 04:00", datetime.datetime(2026, 2, 1, 4, 0).timestamp()),
        ("2026-02-01T04:00:00Z", datetime.datetime(2026, 2, 1, 4, 0, tzinfo=datetime.UTC).timestamp()),
    ],
)
def test_times(text: str, expected: float) -> None:
    assert drain.moment_at(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "4", "25:00", "tomorrow", "2026-02-30 04:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        drain.moment_at(text, NOW)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_state, "read", lambda *_directory: HEALTH)


@pytest.mark.usefixtures("watched")
def test_a_line_is_drained_and_taken_back(tmp_path: Path) -> None:
    stored = str(tmp_path)
    shown = drain.drain("interlink", "new modem", time.time() + 3600, directory=stored, lock=contextlib.nullcontext)
    assert (shown["line"], shown["reason"]) == ("interlink", "new modem")
    [entry] = json.loads((tmp_path / "drained.json").read_text())["drained"]
    assert entry == shown
    drain.undrain("interlink", stored, contextlib.nullcontext)
    assert not (tmp_path / "drained.json").exists()
    with pytest.raises(CommandFailed, match="interlink is not drained"):
        drain.undrain("interlink", stored, contextlib.nullcontext)


@pytest.mark.usefixtures("watched")
def test_the_last_usable_line_needs_force(tmp_path: Path) -> None:
    stored = str(tmp_path)
    with pytest.raises(CommandFailed, match="last usable line for IPv6; --force"):
        drain.drain("unicom", directory=stored, lock=contextlib.nullcontext)
    assert not (tmp_path / "drained.json").exists()
    drain.drain("unicom", force=True, directory=stored, lock=contextlib.nullcontext)
    assert (tmp_path / "drained.json").exists()


@pytest.mark.usefixtures("watched")
def test_what_cannot_be_drained_is_refused_with_the_remedy(tmp_path: Path) -> None:
    stored = str(tmp_path)
    with pytest.raises(CommandFailed, match='no line is called "unicon"; this host has unicom, interlink, spare'):
        drain.drain("unicon", directory=stored, lock=contextlib.nullcontext)
    with pytest.raises(CommandFailed, match="past; give a later one"):
        drain.drain("interlink", until=time.time() - 1, directory=stored, lock=contextlib.nullcontext)
    with pytest.raises(CommandFailed, match="declared as drained: remove drained from its entry in multihome_lines"):
        drain.undrain("spare", stored, contextlib.nullcontext)


# -------------------------------------------------------------------- repair
def test_it_waits_until_nothing_is_missing() -> None:
    answers = iter([Pending({"x": ["a"]}), Pending({"x": ["a"]}), Pending()])
    assert repair.until_done(lambda: next(answers), time.monotonic() + 60).missing == {}
    assert repair.until_done(lambda: Pending({"x": ["a"]}), time.monotonic()).missing == {"x": ["a"]}


@pytest.mark.parametrize(
    ("left", "waiting", "status", "words"),
    [
        ({}, {}, 0, "Everything is restored."),
        ({"x": ["a"]}, {}, 1, "1 object is still missing"),
        ({}, {"route y": "no interface"}, 1, "waits: route y: no interface"),
    ],
)
def test_the_result_of_a_repair(left: dict[str, Any], waiting: dict[str, str], status: int, words: str) -> None:
    result = {"missing": {"x": ["a"] + [f"b{n}" for n in range(40)]}, "left": left, "waiting": waiting, "by": "me"}
    page = Page()
    repair.render(result, page)
    assert words in page.text()
    assert "and 21 more" in page.text()
    assert repair.status(result) == status


def test_a_stored_file_that_is_refused_is_named(tmp_path: Path) -> None:
    (tmp_path / "nat_rules.json").write_text("{")
    found = pending(str(tmp_path))
    assert list(found.waiting) == ["nat_rules.json"]
    assert "not JSON" in found.waiting["nat_rules.json"]


class _Engine:
    """An engine with two missing objects, one of which cannot be restored."""

    def __init__(self, missing: tuple[str, ...] = ("a", "b")) -> None:
        self.missing = missing

    def without(self, keys: Any) -> _Engine:
        """Return the same without some."""
        return _Engine(tuple(name for name in self.missing if name not in keys))

    def read(self) -> None:
        """Read nothing."""

    def plan(self, _current: None) -> tuple[str, ...]:
        """Refuse b."""
        if "b" in self.missing:
            raise InvalidInput(["b: no interface"], {_Object("b"): "no interface"})
        return self.missing

    def steps(self, plan: tuple[str, ...]) -> list[Any]:
        """Return an action for each."""
        return [type("Action", (), {"object": name})() for name in plan]

    def waiting(self) -> dict[str, str]:
        """Wait for nothing more."""
        return {}

    def withdraw(self, _current: None) -> None:
        """Must not be called: nothing may be changed."""
        raise AssertionError


class _Object(str):
    __slots__ = ()

    @property
    def key(self) -> str:
        """Itself."""
        return str(self)


def test_objects_that_cannot_be_restored_wait_and_nothing_is_changed(tmp_path: Path) -> None:
    text = {"version": 1, "kind": "ip_aliases", "protocol": 109, "aliases": []}
    (tmp_path / "ip_aliases.json").write_text(json.dumps(text))
    (tmp_path / "ip_aliases.json").chmod(0o600)
    found = pending(str(tmp_path), {"ip_aliases": lambda _options: _Engine()})
    assert (found.missing, found.waiting, found.count) == ({"ip_aliases": ["a"]}, {"b": "no interface"}, 1)


def test_the_process_of_the_keeper_is_known_only_while_it_runs(tmp_path: Path) -> None:
    assert process(str(tmp_path)) is None
    with Report(str(tmp_path)).running():
        assert process(str(tmp_path)) is not None
    assert process(str(tmp_path)) is None


# -------------------------------------------------------------------- log
def test_the_journal_is_read_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [
        {"MESSAGE": "ip_aliases: restored x", "PRIORITY": "6", "__REALTIME_TIMESTAMP": "1769860800000000"},
        {"MESSAGE": list(b"caf\xe9"), "PRIORITY": "3", "__REALTIME_TIMESTAMP": "1769860801000000"},
        {"MESSAGE": None},
    ]
    given: list[list[str]] = []

    def run(_path: str, arguments: list[str], **_more: Any) -> tuple[int, str, str]:
        given.append(arguments)
        return 0, "\n".join([*map(json.dumps, lines), "not JSON"]), ""

    monkeypatch.setattr(journal, "_JOURNAL", str(tmp_path))
    monkeypatch.setattr(journal, "tool", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(programs, "run", run)
    found = journal.entries(20, "yesterday", None)
    assert [entry["level"] for entry in found] == ["info", "error", "info"]
    assert found[0]["time"] == 1769860800.0
    assert {"--lines=20", "--since=yesterday", "--unit=multihome-keeper.service"} <= set(given[0])
    page = Page()
    journal.render(found, page)
    assert "restored x" in page.text()
    assert max(map(len, page.text().splitlines())) <= WIDTH
    monkeypatch.setattr(programs, "run", lambda *_a, **_m: (1, "", "Failed to parse timestamp"))
    with pytest.raises(CommandFailed, match="Failed to parse timestamp"):
        journal.entries(20, "x", None)


def test_without_a_journal_a_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(journal, "_JOURNAL", str(tmp_path / "none"))
    monkeypatch.setattr(journal, "FILES", (str(tmp_path / "keeper.log"),))
    with pytest.raises(CommandFailed, match="--file"):
        journal.entries(2, None, None)
    (tmp_path / "keeper.log").write_text("one\ntwo\nthree\n")
    assert [entry["text"] for entry in journal.entries(2, None, None)] == ["two", "three"]
    with pytest.raises(CommandFailed, match="--since needs"):
        journal.entries(2, "yesterday", None)
    with pytest.raises(CommandFailed, match="--follow needs"):
        journal.follow(2)
    with pytest.raises(CommandFailed, match="cannot be read"):
        journal.entries(2, None, str(tmp_path / "other"))


# -------------------------------------------------------------------- confirm and revert
def test_without_the_program_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "confirm-1"
    monkeypatch.setattr(changes, "PROGRAM", str(program))
    with pytest.raises(CommandFailed, match="is missing; install it with a deployment"):
        changes.confirm(None)
    # One of an earlier version.
    program.write_text("raise SystemExit(2)")
    with pytest.raises(CommandFailed, match="does not know this request; install it"):
        changes.confirm(None)


def test_the_answer_of_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "confirm-1"
    monkeypatch.setattr(changes, "PROGRAM", str(program))
    program.write_text("import sys; print(sys.stdin.read()); sys.exit(0)")
    assert changes.confirm("a") == {"state": "confirmed", "run": "a"}
    program.write_text("import json; print(json.dumps({'message': 'too late'})); raise SystemExit(1)")
    with pytest.raises(CommandFailed, match="too late"):
        changes.confirm("a")


@pytest.mark.parametrize("timeout", ["0", "601", "x"])
def test_a_timeout_that_is_none(timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_main.main(["revert", "--timeout", timeout])
    assert ended.value.code == 3
    assert "--timeout" in capsys.readouterr().err


# -------------------------------------------------------------------- help and documentation
@pytest.mark.parametrize("command", ["status", "explain", "repair", "log", "drain", "undrain", "confirm", "revert"])
def test_each_command_has_help_on_80_columns_and_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_main.main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "--json" in shown
    assert re.search(rf"^## .*\b{command}\b", (DOCS / "command.md").read_text(), re.MULTILINE)


def blocks(text: str) -> list[str]:
    """The outputs in a page."""
    return re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_documented_outputs_fit_on_80_columns() -> None:
    found = blocks((DOCS / "command.md").read_text())
    assert len(found) >= 5
    assert all(len(line) <= WIDTH for block in found for line in block.splitlines())
    # The control.
    assert blocks("```text\n" + "x" * 90 + "\n```\n") == ["x" * 90 + "\n"]
