# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks publish the domains of the services at a real name server on the lab's Internet."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.e2e.line_health import keepers, watched
from ansible_collections.multihome.linux.tests.e2e.zone import DOMAIN, declared, name_server
from ansible_collections.multihome.linux.tests.integration.dns.servers import (
    KEY,
    NameServer,
)
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

DNS = "multihome.linux.dns"


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    return start_lab(lines=2)


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with name_server(lab, "client1", tmp_path_factory.mktemp("knot")) as made:
        yield made


def addresses(lab: Lab, family: int) -> list[str]:
    """The public addresses of all lines."""
    lines = playbooks.declared(lab)["multihome_lines"]
    every = [address.partition("/")[0] for line in lines for address in line["public_addresses"]]
    return sorted(address for address in every if (":" in address) == (family == 6))


def test_without_a_zone_the_records_are_printed_and_nothing_is_published(lab: Lab, server: NameServer) -> None:
    run = playbooks.run(lab, DNS, variables=declared(lab))
    assert run.code == 0, run.errors
    rows = run.message("Show the records")
    assert sorted(row.split()[4] for row in rows) == sorted(addresses(lab, 4) + addresses(lab, 6))
    assert all(changed == 0 for changed in run.changed.values())
    assert server.ask(DOMAIN, "A") == []


def test_deploy_publishes_all_lines_and_a_second_run_changes_nothing(lab: Lab, server: NameServer) -> None:
    run = playbooks.deploy(lab, variables=declared(lab, server))
    assert server.ask(DOMAIN, "A") == addresses(lab, 4)
    assert server.ask(DOMAIN, "AAAA") == addresses(lab, 6)
    assert KEY.secret not in str(run.results)
    serial = server.serial()
    again = playbooks.deploy(lab, variables=declared(lab, server))
    assert sum(again.changed.values()) == 0
    assert server.serial() == serial


def test_verify_compares_what_clients_resolve_with_the_lines(lab: Lab, server: NameServer) -> None:
    files = f"nameserver {server.address}", "hosts: files dns"
    for client in ("client1", "client2"):
        script = 'cd /etc && rm -f resolv.conf nsswitch.conf && echo "$0" > resolv.conf && echo "$1" > nsswitch.conf'
        lab.exec(client, "sh", "-c", script, *files)
    run = playbooks.verify(lab, **declared(lab, server))
    assert (run.code, run.failures) == (0, [])
    # Control: one address is missing in the zone.
    fewer = declared(lab, server)
    fewer["multihome_services"][0]["lines"] = [fewer["multihome_lines"][0]["name"]]
    assert playbooks.run(lab, DNS, variables=fewer).code == 0
    run = playbooks.verify(lab, **declared(lab, server))
    said = "\n".join(run.failures)
    assert run.code
    assert "web1: the zone differs from the lines in service" in said
    assert f"{DOMAIN}, as client1 resolves it: " in said
    assert playbooks.run(lab, DNS, variables=declared(lab, server)).code == 0


def test_the_playbook_publishes_alone_and_check_mode_finds_a_difference(lab: Lab, server: NameServer) -> None:
    fewer = declared(lab, server)
    fewer["multihome_services"][0]["lines"] = [fewer["multihome_lines"][0]["name"]]
    forecast = playbooks.run(lab, DNS, "--check", variables=fewer)
    assert (forecast.code, forecast.changed["web1"]) == (0, 1)
    assert server.ask(DOMAIN, "A") == addresses(lab, 4)
    assert playbooks.run(lab, DNS, variables=fewer).code == 0
    assert len(server.ask(DOMAIN, "A")) == 1


def test_a_domain_in_no_zone_is_refused_before_anything_is_changed(lab: Lab, server: NameServer) -> None:
    lists = declared(lab, server)
    lists["multihome_services"][0]["domain"] = "www.example.org"
    run = playbooks.run(lab, DNS, variables=lists)
    assert run.code
    assert "is in no zone of multihome_zones" in "\n".join(run.failures)


def health_declared(lab: Lab, server: NameServer) -> dict[str, Any]:
    """The same with lines that the keeper judges by hosts on the Internet."""
    return {**declared(lab, server), **watched(lab)}


class Answers:
    """The answers of the server for as long as the context lasts: each that differs from the one before."""

    def __init__(self, server: NameServer) -> None:
        self._server, self._ends = server, threading.Event()
        self.seen: list[list[str]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ends.is_set():
            answer = self._server.ask(DOMAIN, "A")
            if self.seen[-1:] != [answer]:
                self.seen.append(answer)


def states(health: str) -> set[str]:
    """The states of all lines and families in a file of the keeper."""
    lines = json.loads(health)["lines"]
    return {family["state"] for families in lines.values() for family in families.values()}


def test_the_record_set_follows_the_health_of_real_lines(lab: Lab, server: NameServer) -> None:
    first, second = (line.name for line in lab.lines)
    of_line = {line.name: [each.partition("/")[0] for each in line.public if ":" not in each] for line in lab.lines}
    every = addresses(lab, 4)
    playbooks.deploy(lab, variables=health_declared(lab, server))

    def published(*lines: str) -> bool:
        return server.ask(DOMAIN, "A") == sorted(address for line in lines for address in of_line[line])

    with keepers(lab, "web1"), Answers(server) as answers:
        eventually(lambda: published(first, second), seconds=60)
        # Silently: nothing tells the server. The update leaves by the other line.
        lab.break_line(first, "blackhole")
        eventually(lambda: published(second), seconds=60)
        lab.heal_line(first)
        eventually(lambda: published(first, second), seconds=60)
        lab.exec("web1", "/usr/local/sbin/multihome", "drain", first)
        eventually(lambda: published(second), seconds=60)
        lab.exec("web1", "/usr/local/sbin/multihome", "undrain", first)
        eventually(lambda: published(first, second), seconds=60)
        # With all lines dead the set stays.
        lab.break_line(first, "blackhole")
        lab.break_line(second, "blackhole")
        state = "/run/multihome/health.json"
        eventually(lambda: '"down"' in lab.exec("web1", "cat", state, check=False).stdout, seconds=60)
        time.sleep(3)
        lab.heal_line(first)
        lab.heal_line(second)
        # The set was whole all the time: the lines themselves have to be back, or the next deployment leaves one out.
        eventually(lambda: not {"down", "recovering"} & states(lab.exec("web1", "cat", state).stdout), seconds=60)
        eventually(lambda: published(first, second), seconds=60)
    # Never empty, and nothing but these steps.
    assert [] not in answers.seen
    assert all(set(answer) <= set(every) for answer in answers.seen)


def test_control_without_the_keeper_the_address_of_a_dead_line_stays(lab: Lab, server: NameServer) -> None:
    playbooks.deploy(lab, variables=health_declared(lab, server))
    lab.break_line(lab.lines[0].name, "blackhole")
    time.sleep(5)
    assert server.ask(DOMAIN, "A") == addresses(lab, 4)
    lab.heal_line(lab.lines[0].name)


def test_remove_leaves_the_records_when_asked_and_else_removes_them(lab: Lab, server: NameServer) -> None:
    lists = declared(lab, server)
    playbooks.deploy(lab, variables=lists)
    run = playbooks.run(lab, playbooks.REMOVE, variables={"multihome_keep_records": True})
    assert run.code == 0, run.failures
    assert server.ask(DOMAIN, "A") == addresses(lab, 4)
    playbooks.deploy(lab, variables=lists)
    run = playbooks.run(lab, playbooks.REMOVE)
    assert run.code == 0, run.failures
    assert server.ask(DOMAIN, "A") == server.ask(DOMAIN, "AAAA") == []
    # Other records are not touched, and neither records nor keys are left on the host.
    assert server.ask(DOMAIN, "TXT") == ['"of another program"']
    left = lab.exec("web1", "sh", "-c", "ls -d /etc/multihome /var/lib/multihome", check=False).stdout
    assert left == ""
