# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""policy_routing on a real host."""

from __future__ import annotations

import concurrent.futures
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ..namespaces import Host
from . import hosts as routing_hosts
from .hosts import Variant, foreign, names, quartet, routes, rules, run, variant, whole

__all__ = ["variant"]

# Everything that a route can be.
TABLES: list[dict[str, Any]] = [
    {
        "id": 1001,
        "name": "unicom",
        "routes": [
            {"destination": "default", "gateway": "10.0.0.254"},
            {"destination": "default", "gateway": "10.1.0.254", "interface": "eth1", "metric": 5, "mtu": 1400},
            {"destination": "default", "gateway": "fd00::fe", "source": "fd00::1"},
            {"destination": "10.20.0.0/16", "interface": "eth1", "source": "10.1.0.1"},
            {"destination": "fd20::/64", "interface": "eth1"},
            {"destination": "192.0.2.1", "gateway": "198.51.100.1", "interface": "eth1", "onlink": True},
            {"destination": "fd21::/64", "gateway": "fd77::1", "interface": "eth1", "onlink": True},
            {"destination": "fd22::/64", "gateway": "fe80::1", "interface": "eth0"},
            {"destination": "::ffff:192.0.2.0/120", "gateway": "fd00::fe"},
        ],
    },
    {
        "id": 4294967295,
        "name": "several",
        "routes": [
            {"destination": "default", "nexthops": [{"gateway": "10.0.0.254", "weight": 4}, {"gateway": "10.1.0.254"}]},
            {"destination": "default", "nexthops": [{"gateway": "fd00::fe"}, {"gateway": "fd01::fe", "weight": 256}]},
            {"destination": "10.21.0.0/16", "nexthops": [{"interface": "eth0"}, {"interface": "eth1", "weight": 2}]},
            {"destination": "10.22.0.0/16", "nexthops": [{"gateway": "10.0.0.254", "weight": 9}], "mtu": 1300},
        ],
    },
    {
        "id": 1003,
        "routes": [
            {"destination": destination, "type": kind, "metric": metric}
            for metric, kind in enumerate(("blackhole", "unreachable", "prohibit", "throw"), start=1)
            for destination in ("10.23.0.0/16", "fd23::/64", "0.0.0.0/0", "::/0")
        ],
    },
    {"id": 254, "routes": [{"destination": "10.24.0.0/16", "gateway": "10.0.0.254"}]},
    {"id": 253, "routes": [{"destination": "10.24.0.0/16", "gateway": "10.0.0.254"}]},
    {"id": 255, "routes": [{"destination": "10.24.0.0/16", "gateway": "10.0.0.254"}]},
]
# Every selector, every action, and the ends of what a priority can be.
SELECTORS: list[dict[str, Any]] = [
    {"family": "ipv4"},
    {"family": "ipv6"},
    {"source": "10.0.0.1"},
    {"source": "fd00::/64"},
    {"source": "::ffff:192.0.2.1"},
    {"destination": "192.0.2.0/24"},
    {"destination": "2001:db8::/32"},
    {"source": "10.0.0.1/32", "destination": "192.0.2.0/24"},
    {"family": "ipv4", "in_interface": "eth0"},
    {"family": "ipv6", "in_interface": "lo", "out_interface": "wan7"},
    {"family": "ipv4", "mark": 1},
    {"family": "ipv4", "mark": "0x1/0xff"},
    {"family": "ipv6", "mark": "0/0xff"},
    {"family": "ipv4", "ip_protocol": "icmp"},
    {"family": "ipv6", "ip_protocol": "255"},
    {"family": "ipv4", "ip_protocol": "tcp", "source_port": 80},
    {"family": "ipv6", "ip_protocol": "udp", "source_port": "5000-6000", "destination_port": "53"},
    {"source": "10.0.0.1", "invert": True},
    {"source": "0.0.0.0/0", "ip_protocol": "sctp"},
]
RULES: list[dict[str, Any]] = [
    {"priority": 0, "family": "ipv4", "in_interface": "wan7", "table": "unicom"},
    {"priority": 4294967295, "family": "ipv6", "table": "several"},
    {"priority": 20000, "family": "ipv4", "table": "main", "suppress_prefix_length": 0},
    *({"priority": 21000 + number, "table": 1001, **selector} for number, selector in enumerate(SELECTORS)),
    *(
        {"priority": 22000, "source": "10.0.0.1", "mark": number, "action": action}
        for number, action in enumerate(("unreachable", "blackhole", "prohibit"), start=1)
    ),
]


@pytest.fixture
def host() -> Iterator[Host]:
    with routing_hosts.server_with_addresses() as made:
        yield made


def ours(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item.get("protocol") == "109"]


def default_by(gateway: str, table: int = 1001) -> dict[str, Any]:
    return {"id": table, "routes": [{"destination": "default", "gateway": gateway}]}


# Two of RULES, as others may have them already.
THEIRS: list[dict[str, Any]] = [
    {"priority": 21002, "family": "ipv4", "source": "10.0.0.1", "table": 1001},
    {"priority": 21003, "family": "ipv6", "source": "fd00::/64", "table": 1001},
]


def add_foreign(host: Host) -> None:
    """Add routes, tables and rules of others beside ours, in the same tables and at the same priorities."""
    host.run("ip", "route", "add", "default", "via", "10.0.0.99", "metric", "7", "table", "1001", "protocol", "bgp")
    host.run("ip", "route", "add", "10.30.0.0/16", "via", "10.0.0.99", "table", "1001")
    host.run("ip", "-6", "route", "add", "fd30::/64", "via", "fd00::99", "table", "1001", "protocol", "bird")
    host.run("ip", "route", "add", "unreachable", "10.31.0.0/16", "table", "77", "protocol", "static")
    host.run("ip", "-6", "route", "add", "fd31::/64", "from", "fd00::/64", "via", "fd00::99", "table", "77")
    for family in ("-4", "-6"):
        host.run("ip", family, "rule", "add", "priority", "20000", "uidrange", "0-0", "table", "77")
        host.run("ip", family, "rule", "add", "priority", "21000", "tos", "0x10", "table", "77")
        host.run("ip", family, "rule", "add", "priority", "21500", "goto", "32766")
    for rule in THEIRS:
        what = ["priority", str(rule["priority"]), "from", rule["source"], "table", str(rule["table"])]
        host.run("ip", f"-{rule['family'][3:]}", "rule", "add", *what, "protocol", "bird")


def test_check_real_check_real(host: Host, variant: Variant) -> None:
    listed = {"tables": TABLES, "rules": RULES}
    done = quartet(host, "policy_routing", variant, **listed)
    count = sum(len(table["routes"]) for table in TABLES)
    # And two names: of table unicom, and of our tag; ip has no name for a table beyond 2147483647.
    assert [action["op"] for action in done["actions"]] == ["add"] * (count + len(RULES) + 2)
    assert len(ours(routes(host))) == count
    assert len(ours(rules(host))) == len(RULES)
    by_priority = {rule["priority"]: rule for rule in ours(rules(host))}
    assert by_priority[20000]["suppress_prefixlen"] == 0
    assert by_priority[21011]["fwmark"] == "0x1"
    assert by_priority[21011]["fwmask"] == "0xff"
    assert by_priority[21015]["sport"] == 80
    assert by_priority[21016]["sport_start"] == 5000
    assert "not" in by_priority[21017]
    # The list of each run is the list of the next one, in any order, and all of it can be taken away again.
    assert run(host, "policy_routing", variant, **done["after"], purge=True)["changed"] is False
    turned = {name: entries[::-1] for name, entries in listed.items()}
    assert run(host, "policy_routing", variant, **turned, purge=True)["changed"] is False
    run(host, "policy_routing", variant, tables=[], rules=[], purge=True)
    assert not ours(routes(host) + rules(host))


def test_ip_shows_names_while_a_table_has_one(host: Host) -> None:
    host.run("tee", "/etc/iproute2/rt_tables.d/other.conf", feed="1003 interlink\n77 vpn\n")
    tables = [{**default_by("10.0.0.9"), "name": "unicom"}, {"id": 1002, "name": "interlink"}, {"id": 1004}]
    rule = {"priority": 100, "source": "10.0.0.1", "table": "unicom"}
    foretold = run(host, "policy_routing", tables=tables, rules=[rule], check=True, diff=True)
    assert names(host) == ""
    done = run(host, "policy_routing", tables=tables, rules=[rule], diff=True)
    assert (foretold["actions"], foretold["diff"]) == (done["actions"], done["diff"])
    assert "name unicom of table 1001\n" in done["diff"]["after"]
    (warning,) = done["warnings"]
    assert "table 1003 is called interlink in /etc/iproute2/rt_tables.d/other.conf" in str(warning)
    assert "from 10.0.0.1 lookup unicom proto multihome" in host.run("ip", "rule").stdout
    assert "default via 10.0.0.9" in host.run("ip", "route", "show", "table", "unicom", "protocol", "multihome").stdout
    assert {line for line in names(host).splitlines() if line[0] in "/1"} == {
        "/etc/iproute2/rt_protos.d/multihome.conf 644",
        "109\tmultihome",
        "/etc/iproute2/rt_tables.d/multihome.conf 644",
        "1001\tunicom",
    }
    # Given back as it is reported, with the name that others have given to another table, it changes nothing.
    again = run(host, "policy_routing", **done["after"], purge=True)
    assert again["changed"] is False
    run(host, "policy_routing", tables=[default_by("10.0.0.9")], rules=[{**rule, "table": 1001}], purge=True)
    assert names(host) == ""
    assert "from 10.0.0.1 lookup 1001 proto 109" in host.run("ip", "rule").stdout


def test_purge_touches_nothing_of_others(host: Host) -> None:
    add_foreign(host)
    before = foreign(host)
    assert before["rules"].count('"protocol": "12"') == 2
    # The rules that others have already stand: they are satisfied, and stay theirs.
    done = run(host, "policy_routing", tables=TABLES, rules=RULES)
    assert done.get("changed") is True, done
    assert not [action for action in done["actions"] if action["object"] in THEIRS]
    assert foreign(host) == before
    run(host, "policy_routing", tables=TABLES[:1], rules=RULES[:1], purge=True)
    assert foreign(host) == before
    run(host, "policy_routing", tables=[], rules=[], purge=True)
    assert not ours(routes(host) + rules(host))
    assert foreign(host) == before
    # And the comparison would see it.
    host.run("ip", "rule", "delete", "priority", "21500")
    assert foreign(host) != before


def test_foreign_objects_in_the_way_are_all_named_with_their_owners(host: Host) -> None:
    host.run("ip", "route", "add", "default", "via", "10.0.0.99", "table", "1001", "protocol", "bgp")
    host.run("ip", "-6", "route", "add", "default", "via", "fd00::99", "table", "1001", "protocol", "ra")
    host.run("ip", "rule", "add", "priority", "21002", "from", "10.0.0.1", "table", "77", "protocol", "dhcp")
    before = whole(host)
    for check in (True, False):
        conflicts = run(host, "policy_routing", tables=TABLES, rules=RULES, check=check)["conflicts"]
        assert [text.partition(": {")[0] for text in conflicts] == [
            f"{entry} is in its place and belongs to protocol {owner}"
            for entry, owner in (
                ("tables[0] (unicom).routes[0] (default): route 0.0.0.0/0 in table 1001", "186 (bgp)"),
                ("tables[0] (unicom).routes[2] (default): route ::/0 in table 1001", "9 (router advertisement)"),
                ("rules[5] (21002): IPv4 rule 21002 (source 10.0.0.1, table 77)", "16 (dhcp)"),
            )
        ]
    assert whole(host) == before


@contextmanager
def monitor(host: Host) -> Iterator[list[str]]:
    """Collect what the kernel tells of every change to addresses, routes and rules meanwhile."""
    process = host.start("ip", "monitor", "address", "route", "rule", stdout=subprocess.PIPE)
    assert process.stdout is not None

    def wait_for(mark: str) -> list[str]:
        """Make a change that is seen when all before it were."""
        host.run("ip", "rule", "add", "priority", mark, "from", "127.0.0.9", "table", "9")
        host.run("ip", "rule", "delete", "priority", mark)
        seen: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"{mark}:"):
                process.stdout.readline()  # its removal
                break
            seen.append(line.strip())
        return seen

    # The monitor has begun when it sees a change.
    deadline = time.monotonic() + 10
    while True:
        host.run("ip", "rule", "add", "priority", "9", "from", "127.0.0.9", "table", "9")
        host.run("ip", "rule", "delete", "priority", "9")
        if select.select([process.stdout], [], [], 0.05)[0]:
            break
        assert time.monotonic() < deadline, "ip monitor sees nothing"
    events: list[str] = []
    yield events
    events += [line for line in wait_for("11") if not line.removeprefix("Deleted ").startswith("9:")]


def test_a_run_that_changes_nothing_sends_nothing(host: Host) -> None:
    aliases = [{"address": "10.0.0.7/24", "interface": "eth0"}, {"address": "fd00::7/64", "interface": "eth0"}]
    with monitor(host) as events:
        run(host, "ip_aliases", aliases=aliases)
        run(host, "policy_routing", tables=TABLES, rules=RULES)
    assert len(events) > len(RULES), "a run that changes something is seen"
    with monitor(host) as events:
        assert run(host, "ip_aliases", aliases=aliases, purge=True)["changed"] is False
        assert run(host, "policy_routing", tables=TABLES, rules=RULES, purge=True)["changed"] is False
        assert run(host, "policy_routing", tables=TABLES, rules=[], purge=True, check=True)["changed"] is True
    assert events == []


def test_a_changed_gateway_is_one_replacement(host: Host) -> None:
    run(host, "policy_routing", tables=[default_by("10.0.0.254")])
    with monitor(host) as events:
        done = run(host, "policy_routing", tables=[default_by("10.1.0.254")], purge=True)
    assert [action["op"] for action in done["actions"]] == ["replace"]
    assert len(events) == 1
    assert events[0].startswith("default via 10.1.0.254"), "no moment without a route"


def test_a_rule_that_changes_its_table_or_its_selector_is_never_missing(host: Host) -> None:
    def rule(**changed: Any) -> dict[str, Any]:
        return {"priority": 100, "source": "10.0.0.1", "table": 1001, **changed}

    run(host, "policy_routing", rules=[rule()])
    for changed in ({"table": 1002}, {"source": "0.0.0.0/0"}, {"source": "0.0.0.0/0", "mark": 1}, {"invert": True}):
        with monitor(host) as events:
            done = run(host, "policy_routing", rules=[rule(**changed)], purge=True)
        assert done["changed"] is True, done
        assert len(ours(rules(host))) == 1
        standing = 1
        for event in events:
            standing += -1 if event.startswith("Deleted") else 1
            assert standing >= 1, events


def test_a_general_rule_goes_and_a_particular_one_of_its_priority_stays(host: Host) -> None:
    particular = {"priority": 100, "family": "ipv4", "mark": 1, "table": 1001}
    general = {"priority": 100, "family": "ipv4", "table": 1001}
    run(host, "policy_routing", rules=[particular, general])
    done = run(host, "policy_routing", rules=[particular], purge=True)
    assert [action["op"] for action in done["actions"]] == ["remove"]
    assert [rule.get("fwmark") for rule in ours(rules(host))] == ["0x1"]
    # Done by hand, the particular one goes.
    run(host, "policy_routing", rules=[general])
    host.run("ip", "rule", "delete", "priority", "100", "table", "1001", "protocol", "109")
    assert [rule.get("fwmark") for rule in ours(rules(host))] == [None]


def refused(label: str, what: str, reason: str, hint: str) -> str:
    return f"tables[1] (unicom).routes[0] ({label}): cannot add route {what} in table 1001: {reason} ({hint})"


NO_INTERFACE = "does not exist on this host; it has eth0, eth1, lo"
NO_WAY = "no address of this host reaches the gateway; give its interface an address and set it up, or set onlink"
# The route, and the first line of the message.
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "not on link": (
        {"destination": "default", "gateway": "192.0.2.1"},
        refused(
            "default",
            "default via 192.0.2.1",
            "Network is unreachable",
            NO_WAY,
        ),
    ),
    "not on link, IPv6": (
        {"destination": "default", "gateway": "2001:db8::1"},
        refused(
            "default",
            "default via 2001:db8::1",
            "No route to host",
            "the gateway is not on the link of this interface, or the interface is switched off",
        ),
    ),
    "a source of somebody else": (
        {"destination": "10.9.0.0/16", "interface": "eth0", "source": "10.0.0.77"},
        refused(
            "10.9.0.0/16",
            "10.9.0.0/16 dev eth0 from 10.0.0.77",
            "Invalid argument",
            "the kernel finds it invalid; is the gateway on the link, the source an address of this host?",
        ),
    ),
    "interface down": (
        {"destination": "10.9.0.0/16", "interface": "eth1"},
        refused(
            "10.9.0.0/16",
            "10.9.0.0/16 dev eth1",
            "Network is down",
            "the interface is switched off; set it up (its cable may be unplugged) and run again",
        ),
    ),
    "gateway on an interface that is down": (
        {"name": "of the modem", "destination": "10.9.0.0/16", "gateway": "10.1.0.254", "interface": "eth1"},
        refused(
            "of the modem",
            "10.9.0.0/16 via 10.1.0.254 dev eth1",
            "Network is unreachable",
            NO_WAY,
        ),
    ),
    "interface missing": (
        {"destination": "10.9.0.0/16", "interface": "wan7"},
        f'tables[1] (unicom).routes[0] (10.9.0.0/16): interface "wan7" {NO_INTERFACE}',
    ),
}


def test_what_the_host_cannot_do_is_refused_clearly_and_nothing_changes(host: Host) -> None:
    host.run("ip", "link", "set", "dev", "eth1", "down")
    before = whole(host)
    # Another table first: what was done of it is undone.
    other = {"id": 1000, "routes": [{"destination": "10.8.0.0/16", "type": "throw"}]}
    for route, message in REFUSALS.values():
        tables = [other, {"id": 1001, "name": "unicom", "routes": [route]}]
        result = run(host, "policy_routing", tables=tables, rules=RULES[2:3])
        assert result["failed"] is True
        assert result["msg"].splitlines()[0] == message
        assert whole(host) == before


def test_two_runs_at_the_same_time(host: Host) -> None:
    def some(first: int) -> list[dict[str, Any]]:
        return [{"priority": n, "source": f"10.0.{n // 250}.{n % 250}", "table": 7} for n in range(first, first + 300)]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda first: run(host, "policy_routing", rules=some(first)), (1000, 2000)))
    assert [(result.get("changed"), len(result["actions"])) for result in results] == [(True, 300), (True, 300)]
    assert len(ours(rules(host))) == 600


def test_a_run_waits_for_the_one_that_holds_the_lock(host: Host) -> None:
    run(host, "policy_routing", rules=[])  # so that the lock file is there
    begin = time.monotonic()
    host.start("flock", "/run/multihome/lock", "sleep", "1.5")
    while host.run("flock", "--nonblock", "/run/multihome/lock", "true", check=False).returncode == 0:
        assert time.monotonic() < begin + 1, "nobody holds the lock"
    # Who only looks does not wait.
    assert run(host, "policy_routing", rules=RULES[2:3], check=True)["changed"] is True
    assert run(host, "policy_routing", rules=RULES[2:3])["changed"] is True
    assert time.monotonic() - begin >= 1.4
