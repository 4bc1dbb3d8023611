# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name server as a service of systemd, with each release's own Knot DNS, asked by a client on the Internet."""

from __future__ import annotations

from typing import Any

from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.integration.dns.servers import KEY, ZONE, program, programs
from ansible_collections.multihome.linux.tests.machines.deployed import Deployed

SERVICE = "multihome-dns.service"
DOMAIN = f"www.{ZONE}"
A, B = "203.0.113.10", "198.51.100.20"


def options(address: str, *addresses: str) -> dict[str, Any]:
    """The options of name_server: a zone with one name server, and a domain with these addresses."""
    zone = {
        "zone": ZONE,
        "key_name": KEY.name,
        "nameservers": [{"name": f"ns1.{ZONE}", "addresses": [address]}],
        "records": [{"domain": DOMAIN, "addresses": list(addresses)}],
    }
    return {"listen": [address], "zones": [zone], "key_secrets": {KEY.name: KEY.secret}}


def ask(design: Deployed, server: str) -> list[str]:
    """What a client on the Internet gets."""
    libraries = f"LD_LIBRARY_PATH={programs()['LD_LIBRARY_PATH']}"
    command = [program("dig"), f"@{server}", "+short", "+tries=1", "+time=2", f"{DOMAIN}.", "A"]
    done = design.lab.exec("client1", "env", libraries, *command, check=False)
    return sorted(row for row in done.stdout.splitlines() if row and not row.startswith(";"))


def test_the_service_answers_and_reads_changes_without_a_restart(design: Deployed) -> None:
    machine = design.bed.firewall
    own = next(line for line in design.lab.lines if line.end == machine.name)
    address = own.public[0].partition("/")[0]
    # The lab's query service takes port 53 of the line: here the request is for the firewall itself.
    design.module(machine, "multihome.linux.nat_rules", rules=[], purge=True, persist=True)
    try:
        done = design.module(machine, "multihome.linux.name_server", **options(address, A, B))
        assert done.get("changed"), done
        assert ask(design, address) == sorted((A, B))
        process = design.run(machine, "systemctl", "show", "--value", "--property=MainPID", SERVICE)
        again = design.module(machine, "multihome.linux.name_server", **options(address, A, B))
        assert again["changed"] is False
        # Another key and another set: the files are read again, by the same process.
        changed = options(address, B)
        changed["zones"][0]["key_name"] = "another"
        changed["key_secrets"] = {"another": KEY.secret}
        assert design.module(machine, "multihome.linux.name_server", **changed).get("changed")
        assert ask(design, address) == [B]
        assert design.run(machine, "systemctl", "show", "--value", "--property=MainPID", SERVICE) == process
        # The server's user reads no secret of other files, and other users not this one.
        modes = design.run(machine, "stat", "--format=%a %U", "/etc/multihome/name_server/knot.conf")
        assert modes.split() == ["600", "root"]
        copied = design.run(machine, "stat", "--format=%a %U", "/run/multihome-dns/knot.conf")
        assert copied.split() == ["400", "knot"]
        design.run(machine, "systemctl", "restart", SERVICE)
        assert checks.eventually(lambda: [] if ask(design, address) == [B] else ["no answer"], 30) == []
        # Records by a keeper, with the key, over loopback.
        records = [{"domain": DOMAIN, "addresses": [A]}]
        published = design.module(
            machine,
            "multihome.linux.dns_records",
            zone=ZONE,
            servers=["127.0.0.1"],
            port=5305,
            key_name="another",
            key_secret=KEY.secret,
            records=records,
        )
        assert published.get("changed"), published
        assert ask(design, address) == [A]
        # The server accepts one more key now: it reads its files again, and what is published stays.
        third = options(address, B)
        third["zones"][0]["key_name"] = "third"
        third["key_secrets"] = {"third": KEY.secret}
        assert design.module(machine, "multihome.linux.name_server", **third).get("changed")
        assert ask(design, address) == [A]
        removed = design.module(machine, "multihome.linux.name_server", zones=[])
        assert removed.get("changed"), removed
        assert ask(design, address) == []
        places = ["/etc/multihome/name_server", "/var/lib/multihome-dns", "/run/multihome-dns"]
        assert design.run(machine, "ls", "-d", *places, f"/etc/systemd/system/{SERVICE}", check=False) == ""
    finally:
        design.module(machine, "multihome.linux.name_server", zones=[])
        design.run(machine, "rm", "-f", "/var/lib/multihome/dns_records.json")
        design.deploy()
