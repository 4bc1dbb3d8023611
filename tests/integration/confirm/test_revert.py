# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is not confirmed is reverted in time, object by object, on real namespaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .lab import ALIASES, BAD_ALIASES, CHECKPOINTS, FOREIGN, Server, server


@pytest.fixture
def host() -> Iterator[Server]:
    """A deployed server."""
    with server() as made:
        yield made


def test_everything_is_restored_object_by_object(host: Server) -> None:
    before = host.state()
    host.break_it("bad", 20)
    assert host.state() != before
    host.ended("bad", 60)
    assert host.state() == before
    assert not host.pending()


def test_a_confirmed_run_stays(host: Server) -> None:
    host.run("ip_aliases", aliases=BAD_ALIASES, run="good", timeout=15)
    after = host.state()
    done = host.commit("confirmed", run="good")
    assert (done["changed"], done["state"]) == (True, "confirmed")
    # The control: this is how long the timer waits.
    host.host.run("sleep", "16")
    assert host.state() == after
    assert not host.commit("confirmed", run="good")["changed"]
    listed = host.host.run("ls", f"{CHECKPOINTS}/good").stdout.split()
    assert listed == ["before.json", "confirmed.json", "status.json"]


def test_a_run_that_loses_a_line_is_not_confirmed(host: Server) -> None:
    route = {"destination": "default", "gateway": "192.168.168.99"}
    before = host.state()
    host.run("policy_routing", tables=[{"id": 1001, "routes": [route]}], run="lost", timeout=60)
    refused = host.commit("confirmed", run="lost")
    assert "IPv4, table 1001: no answer from 192.168.168.99" in refused["msg"]
    assert host.commit("reverted", run="lost")["changed"]
    assert host.state() == before
    # The control: a line that was dead before does not matter.
    host.run("policy_routing", tables=[{"id": 1001, "routes": [route]}])
    host.run("policy_routing", tables=[{"id": 1002, "routes": [route]}], run="dead", timeout=60)
    assert host.commit("confirmed", run="dead")["state"] == "confirmed"


def test_a_host_without_any_state_is_empty_again() -> None:
    with server(deployed=False) as host:
        before = host.state()
        host.deploy(run="first", timeout=20)
        assert host.state() != before
        host.ended("first", 60)
        assert host.state() == before


def test_revert_at_once(host: Server) -> None:
    before = host.state()
    host.break_it("bad", 60)
    done = host.commit("reverted", run="bad")
    assert (done["changed"], done["state"]) == (True, "reverted")
    assert host.state() == before
    assert not host.commit("reverted", run="bad")["changed"]


def test_each_module_extends_the_time(host: Server) -> None:
    host.run("ip_aliases", aliases=BAD_ALIASES, run="long", timeout=20)
    first = host.status("long")["deadline"]
    host.run("nat_rules", rules=[], purge=True, run="long", timeout=20)
    assert host.status("long")["deadline"] > first
    # Nothing to do extends nothing.
    second = host.status("long")["deadline"]
    assert not host.run("ip_aliases", aliases=ALIASES, run="long", timeout=9)["changed"]
    assert host.status("long")["deadline"] == second
    host.ended("long", 60)


def test_objects_of_other_owners_that_change_meanwhile_stay_changed(host: Server) -> None:
    host.host.run("ip", "route", "add", "203.0.113.0/24", "via", "192.168.168.11", "proto", "static")
    host.run("ip_aliases", aliases=BAD_ALIASES, purge=True, run="bad", timeout=15)
    host.host.run("ip", "address", "add", "192.0.2.9/32", "dev", "lo")
    host.host.run("ip", "route", "add", "198.51.100.0/24", "via", "192.168.168.11")
    host.host.run("nft", "add", "element", "inet", "docker", "addresses", "{ 172.17.0.9 }")
    foreign = host.host.run("nft", "list", "table", "inet", "docker").stdout
    host.ended("bad", 60)
    routes = host.host.run("ip", "route", "show").stdout
    assert "203.0.113.0/24" in routes
    assert "198.51.100.0/24" in routes
    assert "192.0.2.9" in host.host.run("ip", "address", "show", "dev", "lo").stdout
    assert host.host.run("nft", "list", "table", "inet", "docker").stdout == foreign
    assert "172.17.0.9" in foreign


def test_routes_that_the_kernel_took_along_come_back(host: Server) -> None:
    host.run("ip_aliases", aliases=[{"address": "10.9.0.1/24", "interface": "eth0"}])
    host.host.run("ip", "route", "add", "203.0.113.0/24", "via", "10.9.0.2", "src", "10.9.0.1")
    before = host.state()
    host.run("ip_aliases", aliases=[], purge=True, run="bad", timeout=5)
    assert "203.0.113.0/24" not in host.host.run("ip", "route", "show").stdout
    host.ended("bad", 60)
    assert host.state() == before


def test_only_the_newest_five_tombstones_stay(host: Server) -> None:
    for number in range(7):
        host.run("ip_aliases", aliases=BAD_ALIASES, run=f"run{number}")
        assert host.commit("reverted", run=f"run{number}")["changed"]
    assert host.host.run("ls", CHECKPOINTS).stdout.split() == [f"run{number}" for number in range(2, 7)]


def test_the_controls_see_a_foreign_table(host: Server) -> None:
    assert "DOCKER" in FOREIGN
    assert "DOCKER" in host.state()["nft"]
