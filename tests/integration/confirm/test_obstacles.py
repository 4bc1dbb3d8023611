# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a checkpoint or of a revert is named, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .lab import ALIASES, BAD_ALIASES, CHECKPOINTS, ROUTING, Server, in_any_order, server

STORED = "/etc/multihome"


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


def read_only(host: Server, path: str) -> None:
    """Make a directory read-only."""
    host.host.run("mount", "--bind", path, path)
    host.host.run("mount", "-o", "remount,bind,ro", path)


def test_checkpoints_that_cannot_be_written(host: Server) -> None:
    host.host.run("mkdir", "-p", "-m", "0700", CHECKPOINTS)
    before = host.state()
    read_only(host, CHECKPOINTS)
    refused = host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, persist=True, run="refused")
    assert refused.get("failed")
    assert "Read-only file system" in refused["msg"]
    assert "nothing was changed" in refused["msg"]
    assert host.state() == before
    # The control.
    host.host.run("umount", CHECKPOINTS)
    assert host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, persist=True, run="refused").get("changed")


def test_a_stored_state_that_cannot_be_written(host: Server) -> None:
    before = host.state()
    read_only(host, STORED)
    done = host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, persist=True, run="stored")
    assert done.get("failed")
    assert "Read-only file system" in done["msg"]
    # The module itself has restored what it had changed, and so has the end of its run.
    assert host.state()["address"] == before["address"]
    reverted = host.commit("reverted", run="stored")
    assert not reverted.get("failed"), reverted
    host.host.run("umount", STORED)
    assert host.state() == before


def test_a_stored_state_that_is_elsewhere(host: Server) -> None:
    """An administrator has put the directory on another file system, with a symbolic link in its place."""
    host.host.run("sh", "-c", f"cp -a {STORED} /run/elsewhere && rm -r {STORED} && ln -s /run/elsewhere {STORED}")
    listing = ("sh", "-c", "readlink /etc/multihome; cd /run/elsewhere && stat -c '%n %a %u' * && sha256sum *")
    before = host.state(), host.host.run(*listing).stdout
    host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, persist=True, run="links")
    host.run("policy_routing", **{**ROUTING, "rules": []}, purge=True, persist=True, run="links")
    # The control.
    assert host.host.run(*listing).stdout != before[1]
    assert host.commit("reverted", run="links").get("state") == "reverted"
    assert (host.state(), host.host.run(*listing).stdout) == before


def test_a_kernel_parameter_file_of_somebody_else(host: Server) -> None:
    """It says something else about the same parameter, and stays as it is."""
    other = "/etc/sysctl.d/90-other.conf"
    host.host.run(
        "sh", "-c", f"mkdir -p /etc/sysctl.d; echo net.ipv4.conf.eth0.rp_filter=0 > {other}; chmod 0640 {other}"
    )
    shown = ("sh", "-c", f"stat -c '%a %i %Y' {other}; cat {other}")
    before = host.state(), host.host.run(*shown).stdout
    worse = [{"name": "net.ipv4.conf.eth0.rp_filter", "value": "1"}]
    assert host.run("kernel_parameters", parameters=worse, purge=True, run="other").get("changed")
    assert host.commit("reverted", run="other").get("state") == "reverted"
    assert (host.state(), host.host.run(*shown).stdout) == before


def test_two_runs_at_the_same_moment(host: Server) -> None:
    """One of them arms, the other one is refused, whichever comes first."""
    before = host.state()

    def change(run: str) -> dict[str, Any]:
        aliases = [*ALIASES, {"address": f"192.168.168.{70 + len(run)}/24", "interface": "eth0"}]
        return host.run("ip_aliases", run=run, timeout=60, aliases=aliases, persist=True)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(change, ("left", "right")))
    assert [result.get("changed", False) for result in results].count(True) == 1, results
    [refused] = [result for result in results if result.get("failed")]
    assert "waits for its confirmation since" in refused["msg"]
    assert "nothing was changed" in refused["msg"]
    [run] = [run for run in ("left", "right") if host.status(run)]
    assert host.commit("reverted", run=run).get("state") == "reverted"
    assert in_any_order(host.state()) == in_any_order(before)


def test_the_lines_to_watch_are_restored(host: Server) -> None:
    lines = [{"name": "line", "id": 1, "interface": "eth0", "gateways": ["192.168.168.11"]}]
    assert host.run("line_health", lines=lines)["changed"]
    before = host.state()
    drained = [{**lines[0], "health": {"interval": 0.4}}]
    assert host.run("line_health", lines=drained, run="watched").get("changed")
    assert host.state() != before
    # Another run is refused, and so is a task without one.
    assert "waits for its confirmation since" in host.run("line_health", lines=lines)["msg"]
    assert host.commit("reverted", run="watched").get("state") == "reverted"
    assert host.state() == before
    # The control: a run with nothing to do.
    assert not host.run("line_health", lines=lines, run="idle")["changed"]
    assert host.status("idle") == {}


def test_control_the_aliases_are_those_of_the_deployment(host: Server) -> None:
    assert all(str(alias["address"]) in host.state()["address"] for alias in ALIASES)
