# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules, routes and filters of other programs in each shape (R1, R2, R3, R8, N3), and lines on own interfaces (R4, R9).

Packets decide. docs/routing.md lists which test is for which case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule

from ..namespaces import Hosts
from ..run_module import run_module
from .foreign import VPN
from .lines import FAR, LINES, PATIENCE, answered
from .shapes import INSIDE, SHAPES, Shape
from .test_foreign_setups import Asked

FAMILIES = (4, 6)
FILTERS = FilterModule().filters()
HALVES = {4: ("0.0.0.0/1", "128.0.0.0/1"), 6: ("::/1", "8000::/1")}


@pytest.fixture(scope="module", params=SHAPES)
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    make: Callable[[], AbstractContextManager[Shape]] = SHAPES[request.param]
    with make() as shape:
        yield Asked(shape)


def ip(asked: Asked, family: int, *words: str) -> str:
    """Run ip on the host."""
    return asked.host.run("ip", f"-{family}", *" ".join(words).split()).stdout


def dead(asked: Asked, family: int, expected: set[str] | frozenset[str] = frozenset()) -> set[str]:
    """The lines that do not answer in a family, of which ``expected`` are waited for only briefly."""
    found = {line for line, of in asked.unanswered(2) if of == f"ipv{family}"}
    if found <= expected:
        return found
    return found & {line for line, of in asked.unanswered(PATIENCE) if of == f"ipv{family}"}


def lines_of(asked: Asked) -> set[str]:
    """The lines of the host."""
    return {reply["line"] for reply in asked.shape.replies}


def taken(asked: Asked, family: int) -> set[tuple[str, int]]:
    """The lines whose replies are taken, each with the priority of the rule."""
    found = [one for one in asked.findings() if one["id"] == "reply-taken" and one["family"] == f"ipv{family}"]
    return {(one["line"], one["rule"]["priority"]) for one in found}


@pytest.mark.parametrize("family", FAMILIES)
def test_lookup_local_behind_our_rules(asked: Asked, family: int) -> None:
    """R1: refused with nothing changed; a host with such rules does not even reach itself."""
    own = asked.shape.place.own(2, family)

    def reaches_itself() -> bool:
        return asked.host.run("ping", "-n", "-c", "1", "-W", "2", own, check=False).returncode == 0

    assert reaches_itself()
    ip(asked, family, "rule add priority 32765 lookup local")
    ip(asked, family, "rule del priority 0")
    try:
        assert not reaches_itself(), "the control"
        before = ip(asked, family, "rule")
        main = {"priority": 20000, "family": f"ipv{family}", "table": "main", "suppress_prefix_length": 7}
        done = run_module("policy_routing", {"rules": [main]}, netns_prefix=asked.host.prefix)
        assert f'the IPv{family} rule "lookup local" has priority 32765' in done["msg"]
        assert ip(asked, family, "rule") == before
    finally:
        ip(asked, family, "rule add priority 0 lookup local")
        ip(asked, family, "rule del priority 32765")
    assert reaches_itself()
    assert dead(asked, family) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_halves_of_the_address_space(asked: Asked, family: int) -> None:
    """R2: they take nothing; with the rule of the previous version they take all."""
    try:
        for half in HALVES[family]:
            ip(asked, family, f"route add {half} via {VPN[family]} dev tun0")
        assert dead(asked, family) == set()
        assert taken(asked, family) == set()
        ip(asked, family, "rule add priority 19999 lookup main suppress_prefixlength 0 protocol 109")
        assert dead(asked, family, lines_of(asked)) == lines_of(asked), "the control"
        assert taken(asked, family) == {(line, 19999) for line in lines_of(asked)}
    finally:
        asked.host.run("ip", f"-{family}", "rule", "del", "priority", "19999", check=False)
        for half in HALVES[family]:
            ip(asked, family, f"route del {half}")
    assert dead(asked, family) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_that_takes_replies(asked: Asked, family: int) -> None:
    """R3: the finding names it, for the lines that are dead, and for no other."""
    [source] = {
        reply["source"]
        for reply in asked.shape.replies
        if reply["line"] == "line2" and (":" in reply["source"]) is (family == 6)
    }
    of_it = {reply["line"] for reply in asked.shape.replies if reply["source"] == source}
    assert taken(asked, family) == set()
    ip(asked, family, f"route add default via {VPN[family]} dev tun0 table 200")
    ip(asked, family, f"rule add priority 100 from {source} lookup 200")
    try:
        assert dead(asked, family, of_it) == of_it
        assert taken(asked, family) == {(line, 100) for line in of_it}
    finally:
        ip(asked, family, "rule del priority 100")
        ip(asked, family, "route flush table 200")
    assert dead(asked, family) == set()
    assert taken(asked, family) == set()


def preflight(asked: Asked, kind: str, **more: Any) -> list[str]:
    """The messages of preflight's findings of a kind."""
    place, lengths = asked.shape.place, {4: 24, 6: 64}
    numbers = sorted(int(line.removeprefix("line")) for line in lines_of(asked))
    lines = [
        {
            "id": n,
            "interface": place.interface(n),
            "addresses": [f"{place.own(n, family)}/{lengths[family]}" for family in FAMILIES],
            "gateways": [place.gateway(n, family) for family in FAMILIES],
        }
        for n in numbers
    ]
    options: dict[str, Any] = {"lines": lines, "role": "server", "uses_marks": False}
    if is_firewall(asked):
        mapped = [
            {"type": "dnat", "destination": place.own(n, family), "to_address": INSIDE[family]}
            for n in numbers
            for family in FAMILIES
        ]
        options.update(role="firewall", uses_marks=True, servers=list(INSIDE.values()), nat_rules=mapped)
    options.update(fail_on="never", probe_timeout=0, **more)
    done = run_module("preflight", options, netns_prefix=asked.host.prefix)
    return [finding["message"] for finding in done["findings"] if finding["id"] == kind]


def is_firewall(asked: Asked) -> bool:
    """Whether the host is a firewall with all lines (B)."""
    return any(reply.get("forwarded") for reply in asked.shape.replies)


@contextmanager
def peers(asked: Asked) -> Iterator[None]:
    """The host's IPv4 addresses of the lines have the gateway as their peer, instead of a network."""
    place = asked.shape.place
    asked.host.sysctl(net__ipv4__conf__all__promote_secondaries=1)
    numbers = [int(line.removeprefix("line")) for line in sorted(lines_of(asked))]
    # The new one comes first: without any address an interface loses its routes.
    ways = [
        (f"{place.own(n, 4)}/24 dev {place.interface(n)}", f"{place.own(n, 4)} peer {place.gateway(n, 4)}")
        for n in numbers
    ]
    try:
        for (plain, peer), n in zip(ways, numbers, strict=True):
            ip(asked, 4, f"address add {peer} dev {place.interface(n)}")
            ip(asked, 4, f"address del {plain}")
        yield
    finally:
        for (plain, peer), n in zip(ways, numbers, strict=True):
            ip(asked, 4, f"address add {plain}")
            ip(asked, 4, f"address del {peer} dev {place.interface(n)}")
            asked.host.sysctl(**{f"net__ipv4__conf__{place.interface(n)}__arp_ignore": 0})
        ask_again(asked)


def ask_again(asked: Asked) -> None:
    """Have the ISPs' hosts ask for the host's addresses again."""
    for line in LINES:
        asked.shape.hosts[f"isp{line}"].run("ip", "neigh", "flush", "all")


def test_arp_ignore_and_addresses_with_a_peer(asked: Asked) -> None:
    """R8: such an address is deaf, unless another address of the interface has a network that contains it."""
    place = asked.shape.place
    interfaces = {place.interface(int(line.removeprefix("line"))): line for line in sorted(lines_of(asked))}
    with peers(asked):
        for value in (0, 1):
            for name in interfaces:
                asked.host.sysctl(**{f"net__ipv4__conf__{name}__arp_ignore": value})
            ask_again(asked)
            deaf = lines_of(asked) if value else set()
            assert dead(asked, 4, deaf) == deaf
            found = preflight(asked, "arp-ignored")
            assert len(found) == (len(interfaces) if value else 0), found
        for name, line in interfaces.items():
            network = place.network(int(line.removeprefix("line")), 4).removesuffix("0/24")
            ip(asked, 4, f"address add {network}77/24 dev {name}")
        ask_again(asked)
        try:
            assert dead(asked, 4) == set()
            assert preflight(asked, "arp-ignored") == []
        finally:
            for name, line in interfaces.items():
                network = place.network(int(line.removeprefix("line")), 4).removesuffix("0/24")
                ip(asked, 4, f"address del {network}77/24 dev {name}")
    assert dead(asked, 4) == set()


REVERSE_PATH = """
table inet firewalld-like {
    chain filter_PREROUTING {
        type filter hook prerouting priority %s
        icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
        meta nfproto ipv%s fib saddr . mark %soif missing drop
    }
}
"""


@contextmanager
def reverse_path_filter(asked: Asked, family: int, when: str, strict: bool = True) -> Iterator[None]:
    """A filter of another program, of one family, before or after destinations are translated."""
    priority = {"before": "mangle - 5", "after": "filter + 10"}[when]
    asked.host.run("nft", "-f", "-", feed=REVERSE_PATH % (priority, family, ". iif " if strict else ""))
    try:
        yield
    finally:
        asked.host.run("nft", "delete", "table", "inet", "firewalld-like")


@pytest.mark.parametrize("family", FAMILIES)
def test_reverse_path_filters_that_look_up_marks(asked: Asked, family: int) -> None:
    """N3: they drop what only a mark leads back, and preflight says so there, and nowhere else."""
    kind, place = "reverse-path-filter", asked.shape.place
    ip(asked, family, f"route add default {place.way(2, family)}")
    try:
        # By source, or by one interface for all lines, the way back is found without a mark.
        lost = {"line1"} if is_firewall(asked) else set()
        with reverse_path_filter(asked, family, "after"):
            assert dead(asked, family, lost) == lost
            found = preflight(asked, kind)
            assert [f"IPv{family} packets" in message for message in found] == [True] * bool(lost)
            assert not any(f"IPv{10 - family}" in message for message in found)
            if is_firewall(asked):
                # The same host as a server (C): another program maps these ports to its containers.
                assert preflight(asked, kind, role="server", servers=[], nat_rules=[])
        # The controls: a filter that sees the public address, and one that ignores the interface.
        for when, strict in (("before", True), ("after", False)):
            with reverse_path_filter(asked, family, when, strict):
                assert dead(asked, family) == set()
                assert preflight(asked, kind) == []
    finally:
        ip(asked, family, f"route del default {place.way(2, family)}")
    assert dead(asked, family) == set()


def own_interface(line: int, outside: bool) -> dict[str, Any]:
    """A line on an interface of its own: with gateways outside its networks, or one that is link-local."""
    variables = {"name": f"line{line}", "id": line, "interface": f"eth{line}", "ends_here": outside}
    if outside:
        addresses = [f"203.0.113.{line}/32", f"2001:db8:77::{line}/128"]
        return {**variables, "addresses": addresses, "gateways": [f"172.31.{line}.1", f"2001:db8:99:{line}::1"]}
    addresses = [f"192.168.{line}.1/24", f"fd00:{line}::1/64"]
    return {**variables, "addresses": addresses, "gateways": [f"192.168.{line}.11", "fe80::11"]}


@contextmanager
def own_interfaces(outside: bool) -> Iterator[Hosts]:
    """Make a server with an interface for each line, without any rule, route or address of the lines."""
    with Hosts("server", "isp1", "isp2") as hosts:
        for name in hosts.names:
            hosts[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
            hosts[name].sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=0)
        for line in LINES:
            isp, given = hosts[f"isp{line}"], own_interface(line, outside)
            hosts.link("server", f"eth{line}", f"isp{line}", "eth0")
            hosts["server"].sysctl(**{f"net__ipv4__conf__eth{line}__rp_filter": 0})
            hosts["server"].address(f"eth{line}")
            lengths = ("32", "128") if outside else ("24", "64")
            gateways = zip(given["gateways"], lengths, strict=True)
            isp.address("eth0", *(f"{gateway}/{size}" for gateway, size in gateways))
            isp.address("lo", *(f"{text}/{128 if ':' in text else 32}" for text in FAR.values()))
            for family, address in zip(FAMILIES, given["addresses"], strict=True):
                bare = address.partition("/")[0]
                isp.run("ip", f"-{family}", "route", "replace", bare, "dev", "eth0", "src", FAR[family])
        yield hosts


def configure(hosts: Hosts, outside: bool, **changes: Any) -> list[dict[str, Any]]:
    """Run the modules with the lists of the role."""
    variables = [own_interface(line, outside) for line in LINES]
    lists = {name: FILTERS[f"multihomed_web_{name}"](variables) for name in ("tables", "rules", "interface_groups")}
    prefix = hosts["server"].prefix
    aliases = {"aliases": FILTERS["multihomed_web_aliases"](variables)}
    return [
        run_module("ip_aliases", aliases, netns_prefix=prefix),
        run_module("policy_routing", {**lists, **changes}, netns_prefix=prefix),
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("outside", [True, False], ids=["R4", "R9"])
def test_a_line_on_an_interface_of_its_own(outside: bool, family: int) -> None:
    """R4: gateways outside of the line's networks. R9: an interface for each line, and one link-local gateway."""
    addresses = {line: own_interface(line, outside)["addresses"][family == 6].partition("/")[0] for line in LINES}
    with own_interfaces(outside) as hosts:

        def answers(lost: int = 0) -> list[bool]:
            patience = {line: 0 if line == lost else PATIENCE for line in LINES}
            return [answered(hosts[f"isp{line}"], FAR[family], addresses[line], patience[line]) for line in LINES]

        done = configure(hosts, outside)
        assert [result.get("changed") for result in done] == [True, True], done
        assert answers() == [True, True]
        assert [result.get("changed") for result in configure(hosts, outside)] == [False, False]
        variables = [own_interface(line, outside) for line in LINES]
        replies = FILTERS["multihomed_web_replies"](variables)
        assert run_module("path_info", replies, netns_prefix=hosts["server"].prefix)["findings"] == []
        # The control: with the table of the other line, replies leave by that one.
        server = hosts["server"]
        server.run("ip", f"-{family}", "rule", "add", "priority", "100", "from", addresses[2], "lookup", "1001")
        assert answers(lost=2) == [True, False]
        found = run_module("path_info", replies, netns_prefix=server.prefix)["findings"]
        assert {(one["id"], one["line"], one["rule"]["priority"]) for one in found} == {("reply-taken", "line2", 100)}


def test_control_without_onlink_the_kernel_refuses_such_a_gateway() -> None:
    variables = [own_interface(line, True) for line in LINES]
    tables = FILTERS["multihomed_web_tables"](variables)
    bare = [
        {**table, "routes": [{n: v for n, v in route.items() if n != "onlink"} for route in table["routes"]]}
        for table in tables
    ]
    assert bare != tables
    with own_interfaces(True) as hosts:
        _aliases, refused = configure(hosts, True, tables=bare)
        assert refused["failed"] is True
        assert "172.31.1.1" in refused["msg"]
