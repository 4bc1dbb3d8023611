# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server on each firewall, deployed on the lab and asked from outside over each line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.e2e import playbooks
from ansible_collections.multihome.linux.tests.e2e.line_health import keepers, watched
from ansible_collections.multihome.linux.tests.integration.dns.servers import (
    KEY,
    STRANGER,
    ZONE,
    program,
    programs,
)
from ansible_collections.multihome.linux.tests.lab.fixtures import StartLab
from ansible_collections.multihome.linux.tests.lab.lab import Lab
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

DOMAIN = f"www.{ZONE}"
CONFIGURATION = "/etc/multihome/name_server/knot.conf"
CLIENT = "client1"
# As a service manager does: the server is started when there is a configuration, and again when it ended.
MANAGER = f"""trap 'kill $!; exit 0' TERM
while :; do
  if [ -e {CONFIGURATION} ]; then "$0" -c {CONFIGURATION} & else sleep 0.1 & fi
  wait $!
done"""
LIBRARIES = f"LD_LIBRARY_PATH={programs()['LD_LIBRARY_PATH']}"


def declared(lab: Lab, **zone: Any) -> dict[str, Any]:
    """The lab's lists, with health, and a zone whose name servers are on the lines."""
    lists = {**playbooks.declared(lab), **watched(lab)}
    # One of the lab's services takes port 53, which the name servers need.
    lists["multihome_services"] = [each for each in lists["multihome_services"] if "53/udp" not in each["ports"]]
    lists["multihome_services"][0]["domain"] = DOMAIN
    names = {line["name"]: f"ns{line['id']}" for line in lists["multihome_lines"]}
    entry = {"zone": ZONE, "publish": "nameservers", "nameservers": names, **zone}
    entry["key"] = {"name": KEY.name, "secret": KEY.secret}
    return {**lists, "multihome_zones": [entry], "multihome_dns_package": "", "multihome_name_server_package": ""}


def firewalls(lab: Lab) -> list[str]:
    """The hosts at the ends of the lines."""
    return list(dict.fromkeys(line.end for line in lab.lines))


@contextmanager
def service_managers(lab: Lab) -> Iterator[None]:
    """Keep the name server running on each firewall."""
    with ExitStack() as stack:
        for host in firewalls(lab):
            # The module finds it as it finds an installed one.
            wrapper = f'printf "#!/bin/sh\\n{LIBRARIES} exec $0 \\"\\$@\\"\\n" > /usr/local/sbin/knotc'
            lab.exec(host, "sh", "-c", f"{wrapper} && chmod 755 /usr/local/sbin/knotc", program("knotc"))
            command = ("env", LIBRARIES, "sh", "-c", MANAGER, program("knotd"))
            process = stack.enter_context(
                lab.popen(host, *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
        yield


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Iterator[Lab]:
    """A lab with a name server on each firewall, and the keepers of these."""
    made = start_lab(lines=2)
    with service_managers(made):
        playbooks.deploy(made, variables=declared(made))
        with keepers(made, *firewalls(made)):
            yield made


def plain(address: str) -> str:
    """An address without its prefix length."""
    return address.partition("/")[0]


def public(lab: Lab, *names: str) -> list[str]:
    """The public IPv4 addresses of lines."""
    found = [plain(each) for line in lab.lines if line.name in names for each in line.public if ":" not in each]
    return sorted(found)


def ask(lab: Lab, server: str, name: str = DOMAIN, kind: str = "A", *more: str) -> list[str]:
    """What a client on the Internet gets from a server by UDP; nothing when it gets no answer."""
    command = [program("dig"), f"@{server}", "+short", "+tries=2", "+time=2", "+norecurse", *more, f"{name}.", kind]
    done = lab.exec(CLIENT, "env", LIBRARIES, *command, check=False)
    return sorted(row for row in done.stdout.splitlines() if row and not row.startswith(";"))


def test_each_server_answers_over_its_own_line_by_udp_and_tcp(lab: Lab) -> None:
    names = [line.name for line in lab.lines]
    every = public(lab, *names)
    for line in lab.lines:
        for address in map(plain, line.public):
            assert ask(lab, address) == every
            assert ask(lab, address, DOMAIN, "A", "+tcp") == every
            assert ask(lab, address, ZONE, "NS") == sorted(f"ns{each.id}.{ZONE}." for each in lab.lines)
            assert ask(lab, address, f"ns{line.id}.{ZONE}") == public(lab, line.name)


def test_a_second_deployment_changes_nothing_and_leaves_the_serials(lab: Lab) -> None:
    servers = [plain(line.public[0]) for line in lab.lines]
    before = [ask(lab, server, ZONE, "SOA") for server in servers]
    again = playbooks.deploy(lab, variables=declared(lab))
    assert sum(again.changed.values()) == 0
    assert [ask(lab, server, ZONE, "SOA") for server in servers] == before


def test_the_records_of_the_parent_zone_are_printed(lab: Lab) -> None:
    run = playbooks.run(lab, "multihome.linux.dns", "--check", variables=declared(lab))
    assert run.code == 0, run.errors
    rows = [row.split() for row in run.message("Show the records to enter in the parent zone")]
    glue = {(row[0], row[4]) for row in rows if row[3] == "A"}
    assert glue == {(f"ns{line.id}.{ZONE}.", public(lab, line.name)[0]) for line in lab.lines}
    assert sum(run.changed.values()) == 0


def test_nobody_outside_may_change_the_zone_or_transfer_it(lab: Lab) -> None:
    server = public(lab, lab.lines[0].name)[0]
    script = f"server {server}\\nzone {ZONE}\\nupdate add stranger.{ZONE}. 60 A 192.0.2.66\\nsend\\n"
    key = f"hmac-sha256:{KEY.name}:{KEY.secret}"
    feed = f'printf "{script}" | "$0" -y "$1"'
    done = lab.exec(CLIENT, "env", LIBRARIES, "sh", "-c", feed, program("nsupdate"), key, check=False)
    assert done.returncode != 0
    assert ask(lab, server, f"stranger.{ZONE}") == []
    assert ask(lab, server, ZONE, "AXFR") == []


def test_a_line_that_dies_silently_is_withdrawn_by_the_other_firewall_and_restored(lab: Lab) -> None:
    first, second = (line.name for line in lab.lines)
    (other,) = public(lab, second)
    every = public(lab, first, second)
    eventually(lambda: ask(lab, other) == every, seconds=60)
    lab.break_line(first, "blackhole")
    eventually(lambda: ask(lab, other) == [other], seconds=60)
    # A deployment in the meantime restores nothing.
    playbooks.deploy(lab, variables=declared(lab))
    eventually(lambda: ask(lab, other) == [other], seconds=60)
    lab.heal_line(first)
    eventually(lambda: ask(lab, other) == every, seconds=60)
    eventually(lambda: ask(lab, public(lab, first)[0]) == every, seconds=60)


def test_a_deployment_replaces_the_key_and_ends_the_use_of_the_old_one(lab: Lab) -> None:
    lists = declared(lab)
    lists["multihome_zones"][0]["key"] = {"name": "another", "secret": STRANGER.secret}
    playbooks.deploy(lab, variables=lists)
    for host in firewalls(lab):
        text = lab.exec(host, "cat", CONFIGURATION).stdout
        assert '"another"' in text
        assert KEY.name not in text
    for line in lab.lines:
        assert ask(lab, public(lab, line.name)[0]) == public(lab, *(each.name for each in lab.lines))


def test_control_without_the_keeper_the_dead_line_stays(start_lab: StartLab) -> None:
    made = start_lab(lines=2)
    with service_managers(made):
        playbooks.deploy(made, variables=declared(made))
        first, second = (line.name for line in made.lines)
        made.break_line(first, "blackhole")
        (other,) = public(made, second)
        for _round in range(5):
            assert ask(made, other) == public(made, first, second)


def test_remove_ends_the_server_and_leaves_nothing(lab: Lab) -> None:
    run = playbooks.run(lab, playbooks.REMOVE, variables=declared(lab))
    assert run.code == 0, run.failures
    for host in firewalls(lab):
        left = lab.exec(host, "sh", "-c", "ls -d /etc/multihome /var/lib/multihome-dns /run/multihome-dns", check=False)
        assert left.stdout == ""
    # The process ends a moment after the service is told to.
    eventually(lambda: ask(lab, public(lab, lab.lines[0].name)[0]) == [])
