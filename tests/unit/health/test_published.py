# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines in service, from the keeper's file."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible_collections.multihome.linux.plugins.module_utils._core.dns.effective import Lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health import published, state


def write(directory: Path, at: float, shown: dict[str, object] | None = None, **lines: bool) -> None:
    """Write what the keeper would have written at a time of the monotonic clock; ``shown`` is the same of each line."""
    content = {
        "version": state.VERSION,
        "boot": state.boot_id(),
        "at": at,
        "lines": {name: {"ipv4": {"usable": usable, "resume": {}, **(shown or {})}} for name, usable in lines.items()},
    }
    (directory / "new").write_text(json.dumps(content))
    (directory / "new").rename(directory / state.NAME)


def test_the_usable_lines_of_each_family(tmp_path: Path) -> None:
    write(tmp_path, 100, a=True, b=False)
    found = published.lines_in_service(str(tmp_path), 105)
    assert found == {4: Lines(frozenset("ab"), frozenset("a")), 6: Lines()}
    write(tmp_path, 100, a=False, b=False)
    assert published.lines_in_service(str(tmp_path), 105)[4] == Lines(frozenset("ab"), frozenset(), alarm=True)


def test_a_file_that_is_old_or_missing_says_nothing(tmp_path: Path) -> None:
    assert published.lines_in_service(str(tmp_path)) == {}
    write(tmp_path, 100, a=False)
    assert published.lines_in_service(str(tmp_path), 161) == {}
    (tmp_path / state.NAME).write_text("[]")
    assert published.lines_in_service(str(tmp_path)) == {}


def test_a_judgement_that_ends_changes_nothing(tmp_path: Path) -> None:

    asked = published.LinesInService(str(tmp_path), lambda: False)
    assert asked() == {}
    write(tmp_path, time.monotonic() - 1, a=False, b=True)
    known = asked()
    assert known is not None
    assert known[4].usable == {"b"}
    (tmp_path / state.NAME).unlink()
    assert asked() == known
    write(tmp_path, time.monotonic() - 1, a=True, b=True)
    known = asked()
    assert known is not None
    assert known[4].usable == {"a", "b"}


UNJUDGED: dict[str, object] = {"state": "unknown", "alarm": None}


def test_nothing_is_published_before_stored_lines_are_judged(tmp_path: Path) -> None:
    """After a boot every line is unknown, and so usable, also one that was dead before."""
    now = [time.monotonic()]
    asked = published.LinesInService(str(tmp_path), lambda: True, lambda: now[0])
    assert asked() is None
    write(tmp_path, time.monotonic() - 1, UNJUDGED, a=True, b=True)
    assert asked() is None
    write(tmp_path, time.monotonic() - 1, {"state": "up"}, a=True)
    known = asked()
    assert known is not None
    assert known[4].usable == {"a"}
    # From then on a line that is new is usable until it is judged.
    write(tmp_path, time.monotonic() - 1, UNJUDGED, a=True, b=True)
    assert asked() is not None


def test_lines_that_cannot_be_judged_are_not_waited_for(tmp_path: Path) -> None:
    now = [time.monotonic()]
    asked = published.LinesInService(str(tmp_path), lambda: True, lambda: now[0])
    write(tmp_path, time.monotonic() - 1, {**UNJUDGED, "alarm": "a packet filter of this host"}, a=True)
    assert asked() is not None
    # Without any reason, as with targets whose names have no address, for a few seconds.
    asked = published.LinesInService(str(tmp_path), lambda: True, lambda: now[0])
    write(tmp_path, time.monotonic() - 1, UNJUDGED, a=True)
    assert asked() is None
    now[0] += published.FIRST_JUDGEMENT
    assert asked() is not None


def test_control_a_host_without_stored_lines_publishes_at_once(tmp_path: Path) -> None:
    assert published.LinesInService(str(tmp_path), lambda: False)() == {}
