# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks publish the domains of the services at a real name server on the lab's Internet."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.integration.dns.servers import KEY, ZONE, Knot, NameServer, program
from ansible_collections.multihome.linux.tests.integration.namespaces import Host
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab

DNS = "multihome.linux.dns"
DOMAIN = f"www.{ZONE}"


class LabHost:
    """A host of the lab, as name servers need it."""

    def __init__(self, lab: Lab, name: str) -> None:
        # Only the network of the host: the server's files are the test's.
        kept = lab.command(name)
        apart = {"--mount", "--uts", "--ipc", "--pid"}
        self.prefix = [word for word in kept[: kept.index("--")] if word not in apart]

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command, which ends with the host."""
        options = {"stdin": subprocess.DEVNULL, "text": True, **options}
        child: subprocess.Popen[str] = subprocess.Popen(
            [*self.prefix, "setpriv", "--pdeathsig", "KILL", *command], **options
        )
        return child


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    return start_lab(lines=2)


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    assert program("knotd")
    shown = json.loads(lab.exec("client1", "ip", "-json", "-4", "address", "show", "dev", "eth0").stdout)
    address = shown[0]["addr_info"][0]["local"]
    made = Knot(cast(Host, LabHost(lab, "client1")), tmp_path_factory.mktemp("knot"), address)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def declared(lab: Lab, server: NameServer | None = None) -> dict[str, Any]:
    """The lab's lists with a domain, and with a zone where there is a server."""
    lists: dict[str, Any] = playbooks.declared(lab)
    lists["multihome_services"][0]["domain"] = DOMAIN
    if server is None:
        return lists
    key = {"name": KEY.name, "secret": KEY.secret}
    zone = {"zone": ZONE, "primary": server.address, "key": key}
    return {**lists, "multihome_zones": [zone], "multihome_dns_package": ""}


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
