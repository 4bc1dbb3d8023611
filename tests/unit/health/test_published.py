# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines in service, from the keeper's file."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible_collections.multihome.linux.plugins.module_utils._core.dns.effective import Lines
from ansible_collections.multihome.linux.plugins.module_utils._core.health import published, state


def write(directory: Path, at: float, **lines: bool) -> None:
    """Write what the keeper would have written at a time of the monotonic clock."""
    content = {
        "version": state.VERSION,
        "boot": state.boot_id(),
        "at": at,
        "lines": {name: {"ipv4": {"usable": usable, "resume": {}}} for name, usable in lines.items()},
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

    asked = published.LinesInService(str(tmp_path))
    assert asked() == {}
    write(tmp_path, time.monotonic() - 1, a=False, b=True)
    known = asked()
    assert known[4].usable == {"b"}
    (tmp_path / state.NAME).unlink()
    assert asked() == known
    write(tmp_path, time.monotonic() - 1, a=True, b=True)
    assert asked()[4].usable == {"a", "b"}
