# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An earlier confirmed state is restored on real namespaces, by the module and by the command of the host."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from .lab import ALIASES, BAD_ALIASES, Server, server

COMMAND = (
    "from ansible_collections.multihome.linux.plugins.module_utils._core.command.main import main; "
    "raise SystemExit(main())"
)


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


def confirmed(host: Server, run: str, **options: Any) -> dict[str, str]:
    """Change addresses as a run, confirm it, and return the state."""
    assert host.run("ip_aliases", persist=True, run=run, **options)["changed"]
    assert host.commit("confirmed", run=run)["changed"]
    return host.state()


def command(host: Server, *arguments: str) -> tuple[int, str]:
    """Run the command multihome on the host; exit status and output."""
    done = host.host.run(sys.executable, "-c", COMMAND, *arguments, check=False, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_a_confirmed_state_is_restored_object_by_object(host: Server) -> None:
    one = confirmed(host, "one", aliases=[*ALIASES, *BAD_ALIASES])
    two = confirmed(host, "two", aliases=BAD_ALIASES, purge=True)
    assert one != two
    forecast = host.commit("restored", checkpoint="2", run="look", check=True)
    assert (forecast["changed"], forecast["checkpoint"], forecast["state"]) == (True, "one", "none")
    done = host.commit("restored", checkpoint="2", run="back")
    assert (done["changed"], done["checkpoint"], done["state"]) == (True, "one", "armed")
    assert host.state() == one
    # It waits for its confirmation as each change does.
    assert host.commit("reverted", run="back")["changed"]
    assert host.state() == two
    host.commit("restored", checkpoint="one", run="again")
    assert host.commit("confirmed", run="again")["changed"]
    assert host.state() == one
    # The control: nothing is left to do, and nothing is armed.
    idle = host.commit("restored", run="idle")
    assert (idle["changed"], idle["checkpoint"], idle["state"]) == (False, "again", "none")
    refused = host.commit("restored", checkpoint="9", run="none")
    assert 'no confirmed state "9"; confirmed, the newest first: again (' in refused["msg"]


def test_information_about_the_states(host: Server) -> None:
    confirmed(host, "one", aliases=BAD_ALIASES)
    host.run("ip_aliases", aliases=ALIASES, purge=True, run="two", timeout=60)
    found = host.run("multihome_info", gather_subset=["checkpoints"])["checkpoints"]
    assert found["pending"]["run"] == "two"
    [one] = found["confirmed"]
    assert one["run"] == "one"
    assert one["time"].startswith("20")
    # The kernel adds a route of its own to an address; it is not counted.
    assert one["summary"] == "1 address added, 1 file changed"
    assert host.commit("reverted")["changed"]


def test_the_command_confirms_and_reverts(host: Server) -> None:
    assert command(host, "confirm") == (1, "Nothing waits for its confirmation.")
    before = host.state()
    host.run("ip_aliases", aliases=BAD_ALIASES, run="bad")
    status, text = command(host, "confirm", "other")
    assert status == 3
    assert "not run other: run bad of" in text
    assert command(host, "revert", "--dry-run") == (0, "It would restore the state before run bad.")
    assert command(host, "revert") == (0, "Restored: the state before run bad.")
    assert host.state() == before
    status, text = command(host, "confirm", "bad")
    assert status == 3
    assert "run bad was reverted at" in text
    status, text = command(host, "revert")
    assert (status, "this host has no confirmed state" in text) == (3, True)
    host.run("ip_aliases", aliases=BAD_ALIASES, persist=True, run="good")
    assert command(host, "confirm") == (0, "Run good is confirmed.")


def test_the_command_restores_a_confirmed_state(host: Server) -> None:
    one = confirmed(host, "one", aliases=[*ALIASES, *BAD_ALIASES])
    two = confirmed(host, "two", aliases=BAD_ALIASES, purge=True)
    status, text = command(host, "revert", "--list")
    assert status == 0
    assert text.index(" two ") < text.index(" one ")
    assert "2 addresses removed" in text
    status, text = command(host, "revert", "2", "--timeout", "5", "--json")
    assert (status, json.loads(text)["checkpoint"]) == (0, "one")
    assert host.state() == one
    # Unconfirmed, it is reverted in turn.
    host.eventually(lambda: not host.pending(), 60)
    assert host.state() == two
    status, text = command(host, "revert", "one")
    assert (status, "multihome confirm" in text) == (0, True)
    assert command(host, "confirm")[0] == 0
    assert host.state() == one
    status, text = command(host, "revert")
    assert (status, text.startswith("Nothing to do: this host has the confirmed state of run revert-")) == (1, True)
