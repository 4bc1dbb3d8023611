# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reply leaves by its line, or path_info names the rule and the route that take it: packets decide."""

from __future__ import annotations

import subprocess
from collections.abc import Container, Iterator
from typing import Any

import pytest

from ..namespaces import Host, Hosts
from ..numbered import NumberedPings, pinging
from ..run_module import run_module
from .hosts import foreign, whole
from .lines import (
    FAR,
    LAN,
    LINES,
    PATIENCE,
    alive,
    answered,
    deploy,
    findings,
    host_in,
    network,
    options,
    replies,
    server_with_lines,
)

FAMILIES = (4, 6)
# A previous version's rule 20000: the default route of main is passed over, and nothing else.
PREVIOUS = options(suppress={4: 0, 6: 0}, group=None)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with server_with_lines() as made:
        yield made


@pytest.fixture
def deployed(hosts: Hosts) -> Hosts:
    done = deploy(hosts["server"])
    assert done.get("changed") is True, done
    return hosts


def ip(host: Host, family: int, *words: str) -> None:
    host.run("ip", f"-{family}", *" ".join(words).split())


def dead(hosts: Hosts, family: int, expected: Container[str] | None = ()) -> set[str]:
    """The clients without an answer; None where it is not known which these are, and none is waited for long."""
    return {name for name, good in alive(hosts, family, expected).items() if not good}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clean_host(deployed: Hosts, family: int) -> None:
    assert dead(deployed, family) == set()
    assert findings(deployed["server"], family) == []
    assert deploy(deployed["server"])["changed"] is False


# R2: the routes that are a default in all but length, and the bits of the longest.
NEARLY_DEFAULT = {
    4: (
        ("0.0.0.0/1", "128.0.0.0/1"),
        ("0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"),
        ("192.0.0.0/3",),
        ("192.0.0.0/7",),
    ),
    6: (("2000::/3",), ("::/1", "8000::/1"), ("2000::/4", "3000::/4"), ("2000::/6",)),
}


@pytest.mark.parametrize(("family", "routes"), [(f, routes) for f in FAMILIES for routes in NEARLY_DEFAULT[f]])
def test_routes_that_are_nearly_a_default(hosts: Hosts, family: int, routes: tuple[str, ...]) -> None:
    server = hosts["server"]
    assert deploy(server, **PREVIOUS)["changed"] is True
    for route in routes:
        ip(server, family, "route add", route, "dev tun0")
    # As it was: dead, and the finding says why.
    assert {f"far by line {line}" for line in LINES} <= dead(hosts, family, None)
    found = [finding for finding in findings(server, family) if finding["route"].get("interface") == "tun0"]
    assert {finding["line"] for finding in found} == {"line1", "line2"}
    for finding in found:
        assert finding["id"] == "reply-taken"
        assert (finding["rule"]["priority"], finding["rule"]["owner"]) == (20000, "protocol 109 (multihome)")
        assert finding["route"]["destination"] in routes
        assert finding["route"]["table"] == 254
        assert finding["remedy"].startswith("redeploy: the rule needs suppress_prefix_length")
    assert deploy(server)["changed"] is True
    assert dead(hosts, family) == set()
    assert findings(server, family) == []


# R3: rules of others that take replies, each with its priority and what the finding says of its selector.
RULES_OF_OTHERS = {
    "by the address": (100, "from {address} lookup 200"),
    "by the network": (100, "from {network} lookup 200"),
    "an exit node": (5270, "lookup 52"),
    "of the host itself": (90, "iif lo lookup 200"),
    "without a mark": (95, "fwmark 0/0xff0000 lookup 200"),
    "of root": (96, "uidrange 0-99 lookup 200"),
    "not to the VPN": (97, "not to {vpn} lookup 200"),
    "with main again": (98, "from {address} lookup main"),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", RULES_OF_OTHERS)
def test_rules_of_others_that_take_replies(deployed: Hosts, family: int, kind: str) -> None:
    server = deployed["server"]
    priority, words = RULES_OF_OTHERS[kind]
    vpn = "10.8.0.0/24" if family == 4 else "fd00:8::/64"
    gateway = "10.8.0.1" if family == 4 else "fd00:8::1"
    for table in ("200", "52", "main"):
        ip(server, family, f"route add default via {gateway} dev tun0 table {table}")
    assert findings(server, family) == [], "nothing takes replies before the rule comes"
    rule = words.format(address=host_in(1, family, 10), network=network(1, family), vpn=vpn)
    ip(server, family, f"rule add priority {priority} {rule}")
    lost = dead(deployed, family, None)
    # Ping of an ISP host is of root, and so is who answers in the kernel: a rule by user takes what a socket sends.
    if kind != "of root":
        assert "far by line 1" in lost
    found = [finding for finding in findings(server, family) if finding["line"] == "line1"]
    assert found, "nothing was found"
    for finding in found:
        assert finding["id"] == "reply-taken"
        assert finding["rule"]["priority"] == priority
        assert finding["rule"]["owner"] == "protocol 0 (unspecified)"
        assert finding["remedy"].startswith("remove that rule, or give it a priority above 23021")
    ip(server, family, f"rule delete priority {priority}")
    assert dead(deployed, family) == set()
    assert findings(server, family) == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("action", ["prohibit", "unreachable", "blackhole"])
def test_rules_of_others_that_refuse_replies(deployed: Hosts, family: int, action: str) -> None:
    server = deployed["server"]
    ip(server, family, f"rule add priority 100 from {host_in(1, family, 10)} {action}")
    assert "far by line 1" in dead(deployed, family, None)
    found = findings(server, family)
    assert {(finding["id"], finding["line"], finding["rule"]["priority"]) for finding in found} == {
        ("reply-taken", "line1", 100)
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_a_route_of_somebody_else_in_a_table_of_a_line(deployed: Hosts, family: int) -> None:
    server = deployed["server"]
    half = "128.0.0.0/1" if family == 4 else "2000::/4"
    ip(server, family, f"route add {half} dev tun0 table 1001")
    assert "far by line 1" in dead(deployed, family, None)
    found = findings(server, family)
    assert {finding["line"] for finding in found} == {"line1"}
    assert found[0]["route"]["destination"] == half
    assert found[0]["remedy"].startswith(f"remove the route {half} from table 1001")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_line_without_a_way_is_no_reply_that_is_taken(deployed: Hosts, family: int) -> None:
    server = deployed["server"]
    ip(server, family, "route delete default table 1001")
    found = findings(server, family)
    assert {finding["id"] for finding in found} == {"reply-refused"}
    assert {(finding["line"], finding["rule"]["priority"]) for finding in found} == {("line1", 23011)}
    ip(server, family, f"address delete {host_in(1, family, 10)}/{24 if family == 4 else 64} dev wan1")
    if family == 4:
        # By IPv6 the kernel can be asked for any source.
        [absent] = [one for one in findings(server, family) if one["line"] == "line1"]
        assert absent["id"] == "reply-not-asked"
        assert "198.18.1.10 is no address of this host now" in absent["message"]


# R7: destinations by a line's interface that main knows better than by a default.
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["connected", "static", "static by the gateway"])
def test_a_neighbour_of_another_line(hosts: Hosts, family: int, how: str) -> None:
    server = hosts["server"]
    only_suppressed = options(group=None)
    assert deploy(server, **only_suppressed)["changed"] is True
    neighbours = {f"neighbour of line {3 - line} by line {line}" for line in LINES}
    expected = neighbours
    if how != "connected":
        far = "192.0.2.0/24" if family == 4 else "2001:db8:c::/48"
        way = "dev wan1" if how == "static" else f"via {host_in(1, family, 1)}"
        ip(server, family, f"route add {far} {way}")
        expected = {*neighbours, "far by line 2"}
    assert dead(hosts, family, None) >= expected
    found = findings(server, family)
    taken = {(finding["line"], finding["route"]["destination"]) for finding in found}
    assert ("line1", network(2, family)) in taken
    assert ("line2", network(1, family)) in taken
    assert {finding["rule"]["priority"] for finding in found} == {20000}
    assert found[0]["remedy"].startswith("put the route's interface into the interface group")
    assert deploy(server)["changed"] is True
    assert dead(hosts, family) == set()
    assert findings(server, family) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_an_interface_in_a_group_of_its_administrator_is_told_and_found(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    server.run("ip", "link", "set", "wan2", "group", "5")
    done = deploy(server)
    [warning] = done["warnings"]
    assert "interface wan2 is in group 5 already and keeps it" in str(warning)
    lost = {"neighbour of line 2 by line 1"}
    assert dead(hosts, family, lost) == lost
    [finding] = findings(server, family)
    assert (finding["line"], finding["route"]["interface"]) == ("line1", "wan2")


# R1
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["behind", "missing", "only for some"])
def test_lookup_local_has_to_come_first(hosts: Hosts, family: int, when: str, how: str) -> None:
    server = hosts["server"]
    if when == "after":
        assert deploy(server)["changed"] is True
    if how == "behind":
        ip(server, family, "rule add priority 32765 lookup local")
    elif how == "only for some":
        ip(server, family, "rule add priority 1 iif lan0 lookup local")
    ip(server, family, "rule delete priority 0")
    before = whole(server)
    for check in (True, False):
        refused = run_check(server, check)
        assert refused["failed"] is True
        there = "has priority 32765" if how == "behind" else "is missing"
        assert f'the IPv{family} rule "lookup local" {there}, and has to come first' in refused["msg"]
        assert whole(server) == before
    if when == "after":
        assert dead(hosts, family, None), "the host is reached all the same"
    ip(server, family, "rule add priority 0 lookup local")
    assert deploy(server).get("changed") is (when == "before")
    assert dead(hosts, family) == set()


def run_check(server: Host, check: bool) -> dict[str, Any]:
    return run_module("policy_routing", options(), netns_prefix=server.prefix, check=check)


def test_what_path_info_finds_changes_nothing(deployed: Hosts) -> None:
    server = deployed["server"]
    before, theirs = whole(server), foreign(server)
    findings(server, 4)
    assert (whole(server), foreign(server)) == (before, theirs)


def watch(host: Host, address: str) -> NumberedPings:
    """Ping an address without a break."""
    pings = NumberedPings(host.start(*pinging(address), stdout=subprocess.PIPE))
    pings.wait_for_more()
    return pings


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["by the module", "by hand"])
def test_a_host_of_the_previous_version_migrates_without_losing_a_packet(hosts: Hosts, family: int, how: str) -> None:
    server = hosts["server"]
    assert deploy(server, **PREVIOUS)["changed"] is True
    # The LAN asks an address of a line: without rule 20000 the reply goes to the ISP.
    pings = [watch(hosts["lan"], host_in(line, family, 10)) for line in LINES]
    pings += [watch(hosts[f"isp{line}"], host_in(line, family, 10)) for line in LINES]
    if how == "by the module":
        done = deploy(server)
        assert [action["op"] for action in done["actions"] if action["object"].get("priority") == 20000] == [
            "replace"
        ] * 2
    else:
        # The other order, which nobody should take.
        for word in ("delete", "add"):
            ip(server, family, f"rule {word} priority 20000 lookup main suppress_prefixlength 0 protocol 109")
            pings[2].wait_for_more()
    for one in pings:
        one.wait_for_more()
    lost = [one.end() for one in pings]
    if how == "by the module":
        assert lost == [[], [], [], []]
    else:
        assert min(map(len, lost[:2])) > 0, lost


def _mark_targets(line: int) -> tuple[dict[str, Any], ...]:
    return ({"table": 1000 + line}, {"action": "unreachable"})


# A firewall with both lines: what it forwards for a server in the LAN is routed by mark.
BY_MARK: list[dict[str, Any]] = [
    {"priority": 20000 + 10 * line + step, "family": f"ipv{family}", "mark": f"{line:#x}/0xff", **what}
    for line in LINES
    for family in FAMILIES
    for step, what in enumerate(_mark_targets(line))
]
MARKING = """table inet test {
  chain first { type filter hook prerouting priority mangle; iifname "lan0" meta mark set 1; }
}
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_that_a_firewall_routes_by_mark(hosts: Hosts, family: int) -> None:
    firewall, lan = hosts["server"], hosts["lan"]
    firewall.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    firewall.run("nft", "-f", "-", feed=MARKING)
    inside = "192.168.168.50" if family == 4 else "fd00:168::50"
    by_mark = [
        {**reply, "source": inside, "mark": f"{line:#x}", "in_interface": "lan0"}
        for line, reply in zip(LINES, replies(family), strict=True)
    ]

    def found() -> list[dict[str, Any]]:
        return findings(firewall, family, replies=by_mark)

    # All of these are at the ISP of line 1: far away, and in the networks of both lines.
    whole_internet = {FAR[family], host_in(2, family, 50), host_in(1, family, 1)}

    def are_reached(expected: set[str]) -> bool:
        patience = {address: PATIENCE if address in expected else 0 for address in whole_internet}
        return expected == {one for one in whole_internet if answered(lan, inside, one, patience[one])}

    far = "0.0.0.0/1" if family == 4 else "2000::/3"
    halves = [far] if family == 6 else [far, "128.0.0.0/1"]
    previous = [*BY_MARK, *PREVIOUS["rules"]]
    for half in halves:
        ip(firewall, family, f"route add {half} dev tun0")
    assert deploy(firewall, **{**PREVIOUS, "rules": previous})["changed"] is True
    assert are_reached({host_in(1, family, 1)})
    assert {finding["rule"]["priority"] for finding in found()} == {20000}
    assert {finding["route"]["interface"] for finding in found()} == {"tun0", "wan1", "wan2"}
    assert deploy(firewall, rules=[*BY_MARK, *options()["rules"]])["changed"] is True
    assert are_reached(whole_internet)
    assert found() == []
    # Somebody's own way out for the LAN takes the replies of both lines.
    gateway = "10.8.0.1" if family == 4 else "fd00:8::1"
    ip(firewall, family, f"route add default via {gateway} dev tun0 table 52")
    ip(firewall, family, f"rule add priority 100 from {LAN[family]} lookup 52")
    assert are_reached(set())
    assert {(one["line"], one["mark"], one["rule"]["priority"]) for one in found()} == {
        ("line1", "0x1", 100),
        ("line2", "0x2", 100),
    }
