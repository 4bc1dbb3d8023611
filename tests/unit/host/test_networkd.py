# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps systemd-networkd off: the file, when it is restarted, and what becomes of a restart that fails."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import ApplyFailed, ForeignObject
from ansible_collections.multihome.linux.plugins.module_utils._core.host import networkd_facts
from ansible_collections.multihome.linux.plugins.module_utils._core.host.networkd import (
    FILE,
    HEADER,
    NetworkdEngine,
    NetworkdHost,
)

BOTH = ["ManageForeignRoutes", "ManageForeignRoutingPolicyRules"]
TEXT = f"{HEADER}\n[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"


class FakeHost(NetworkdHost):
    """A host of files below a directory; ``knows`` is what its systemd-networkd knows, ``seen`` what it has read."""

    def __init__(self, root: Path, knows: list[str]) -> None:
        super().__init__(str(root))
        self.file = root / FILE.lstrip("/")
        self.knows = knows
        self.seen: list[str | None] = []
        self.refuses = False

    def settings(self) -> list[str]:
        """What it knows."""
        return self.knows

    def restart(self) -> None:
        """Read the file, or end with an error."""
        self.seen.append(self.load(FILE))
        if self.refuses:
            raise OSError("systemctl restart systemd-networkd.service: Job failed")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host whose systemd-networkd has been told nothing yet."""
    return FakeHost(tmp_path, BOTH)


def run(host: FakeHost, state: str = "present", check: bool = False) -> Outcome[Any]:
    """One run of the module."""
    return converge(NetworkdEngine(state, host), check, contextlib.nullcontext)


def done(outcome: Outcome[Any]) -> list[Any]:
    """Operation and setting of each action."""
    return [(action["op"], action["object"]["name"]) for action in outcome.actions()]


def test_the_file_is_written_once(host: FakeHost) -> None:
    expected = [("add", name) for name in BOTH]
    assert done(run(host, check=True)) == expected
    assert (host.load(FILE), host.seen) == (None, [])
    assert done(run(host)) == expected
    assert (host.load(FILE), host.seen) == (TEXT, [TEXT])
    assert host.file.stat().st_mode & 0o777 == 0o644
    for check in (True, False):
        assert done(run(host, check=check)) == []
    assert host.seen == [TEXT]
    # networkd.conf(5) as preflight reads it.
    found = networkd_facts.networkd_settings(host.root)
    assert all(networkd_facts.is_off(found[name]) for name in BOTH)


def test_only_supported_settings_are_written(host: FakeHost) -> None:
    run(host)
    host.knows = [*BOTH, "ManageForeignNextHops"]
    assert done(run(host)) == [("add", "ManageForeignNextHops")]
    assert host.load(FILE) == TEXT.replace("[Network]\n", "[Network]\nManageForeignNextHops=no\n")
    host.knows = BOTH
    assert done(run(host)) == [("remove", "ManageForeignNextHops")]
    host.file.write_text(TEXT.replace("Routes=no", "Routes=yes"))
    assert done(run(host)) == [("replace", "ManageForeignRoutes")]
    assert host.load(FILE) == TEXT


def test_where_none_runs_nothing_is_done(host: FakeHost) -> None:
    host.knows = []
    assert done(run(host)) == []
    host.knows = BOTH
    run(host)
    host.knows = []
    assert done(run(host)) == []
    assert host.load(FILE) == TEXT
    assert done(run(host, "absent")) == [("remove", name) for name in BOTH]
    assert (host.load(FILE), host.seen) == (None, [TEXT])


def test_the_file_goes_without_a_restart_that_would_remove_what_others_made(host: FakeHost) -> None:
    run(host)
    assert done(run(host, "absent")) == [("remove", name) for name in BOTH]
    assert (host.load(FILE), host.seen) == (None, [TEXT])
    assert done(run(host, "absent")) == []


def test_a_restart_that_fails_leaves_no_file(host: FakeHost) -> None:
    host.refuses = True
    with pytest.raises(ApplyFailed) as raised:
        run(host)
    assert "Job failed" in str(raised.value)
    assert (host.load(FILE), host.seen) == (None, [TEXT, None])


def test_a_file_of_somebody_else_is_not_overwritten(host: FakeHost) -> None:
    host.file.parent.mkdir(parents=True)
    for text in ("[Network]\nManageForeignRoutes=yes\n", ""):
        host.file.write_text(text)
        with pytest.raises(ForeignObject) as raised:
            run(host)
        assert f"{FILE}: it was not written by this collection" in str(raised.value)
        assert done(run(host, "absent")) == []
        assert host.load(FILE) == text
    assert host.seen == []
    host.file.unlink()
    host.file.symlink_to("/etc/passwd")
    with pytest.raises(ForeignObject, match="cannot be read"):
        run(host)
