# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules and routes of other programs in each shape (R1, R2, R3), and lines on interfaces of their own (R4, R9).

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
from .lines import FAR, LINES, answered
from .shapes import SHAPES, Shape
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


def dead(asked: Asked, family: int) -> set[str]:
    """The lines that do not answer in a family."""
    return {line for line, of in asked.unanswered(2) if of == f"ipv{family}"}


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
        assert dead(asked, family) == lines_of(asked), "the control"
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
        assert dead(asked, family) == of_it
        assert taken(asked, family) == {(line, 100) for line in of_it}
    finally:
        ip(asked, family, "rule del priority 100")
        ip(asked, family, "route flush table 200")
    assert dead(asked, family) == set()
    assert taken(asked, family) == set()


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

        def answers() -> list[bool]:
            return [answered(hosts[f"isp{line}"], FAR[family], addresses[line]) for line in LINES]

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
        assert answers() == [True, False]
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
