# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with three lines and one address for all of them: two by gateways on a shared LAN, one by its own interface.

    client ─┬─ fw1 ─┐
            ├─ fw2 ─┴─ LAN ── eth0 ─┐
            │                       ├ server ── container
            └─ fw3 ────────── eth1 ─┘

Each firewall translates all that is sent to its public address to the server's one address, and translates nothing of
what the server begins. A reply by another line than its request's therefore never becomes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.multihome.linux.tests.integration.answering import answer
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

LINES = (1, 2, 3)
FAMILIES = (4, 6)
LENGTH = {4: 24, 6: 64}
SERVER = {4: "10.0.0.1", 6: "fd00:10::1"}
CONTAINER = {4: "172.16.0.2", 6: "fd00:172::2"}
CLIENT = {4: "198.51.100.9", 6: "2001:db8:ff::9"}
CLIENTS = {4: "198.51.100.0/24", 6: "2001:db8:ff::/64"}
LAN_HOST = {4: "10.0.0.50", 6: "fd00:10::50"}
# The source that the main table's default route gives to what is not bound to a line's own address.
UNBOUND = {4: "192.0.0.8", 6: "fd00:ff::8"}
# Behind these ports of the server the container answers, on port 7; port 8 is nobody's.
CONTAINER_PORT = 7007


def public(line: int, family: int) -> str:
    """The public address of a line."""
    return {4: f"203.0.{line}.1", 6: f"2001:db8:{line}::1"}[family]


def gateway(line: int, family: int) -> str:
    """The inside address of a line's firewall."""
    return {4: f"10.0.{3 if line == 3 else 0}.{10 + line}", 6: f"fd00:1{3 if line == 3 else 0}::1{line}"}[family]


def visitor(line: int, family: int) -> str:
    """The client's address that asks by a line.

    From one address for all, a port that the client uses twice within a minute would be one connection to the server,
    which then rightly answers by the line of the first time.
    """
    return {4: f"198.51.100.{10 + line}", 6: f"2001:db8:ff::1{line}"}[family]


def alias(line: int, family: int) -> str:
    """The server's own address on a line."""
    return {4: f"10.0.{3 if line == 3 else 0}.{100 + line}", 6: f"fd00:1{3 if line == 3 else 0}::10{line}"}[family]


def mark(line: int, family: int = 4) -> dict[str, Any]:
    """The entry of ``marks`` for a line."""
    if line == 3:
        return {"mark": 3, "in_interface": "eth1"}
    return {"mark": line, "gateway": gateway(line, family)}


# Three lines in both families.
MARKS = [mark(3), *(mark(line, family) for line in (1, 2) for family in FAMILIES)]


def build(hosts: Hosts) -> None:
    """Give the hosts their links, addresses, routes and translations; the server gets tables and rules, no marks."""
    _links(hosts)
    for line in LINES:
        _firewall(hosts[f"fw{line}"], line)
    client = hosts["client"]
    client.address("lo", *CLIENT.values(), *(visitor(line, family) for line in LINES for family in FAMILIES))
    for line in LINES:
        for family in FAMILIES:
            client.run("ip", f"-{family}", "route", "add", alias(line, family), "via", public(line, family))
    server = hosts["server"]
    server.address("eth0", *(f"{SERVER[f]}/{LENGTH[f]}" for f in FAMILIES))
    server.address("eth0", *(f"{alias(line, f)}/{LENGTH[f]}" for line in (1, 2) for f in FAMILIES))
    server.address("eth1", *(f"{alias(3, f)}/{LENGTH[f]}" for f in FAMILIES))
    server.address("inside", "172.16.0.1/24", "fd00:172::1/64")
    server.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    # The tests ask for more errors at once than the kernel sends.
    server.sysctl(net__ipv4__icmp_ratelimit=0, net__ipv6__icmp__ratelimit=0)
    must(server, "policy_routing", tables=_tables(), rules=_rules())
    hosts["container"].sysctl(net__ipv4__icmp_ratelimit=0, net__ipv6__icmp__ratelimit=0)
    hosts["container"].address("eth0", *(f"{CONTAINER[f]}/{LENGTH[f]}" for f in FAMILIES))
    for via in ("172.16.0.1", "fd00:172::1"):
        hosts["container"].run("ip", "route", "add", "default", "via", via)
    hosts["lan"].address("lan", *(f"{LAN_HOST[f]}/{LENGTH[f]}" for f in FAMILIES))
    for name in ("server", "container", "client", "lan"):
        answer(hosts[name])


NAMES = ("server", "container", "lan", "fw1", "fw2", "fw3", "client")


def _links(hosts: Hosts) -> None:
    hosts["lan"].run("ip", "link", "add", "name", "lan", "type", "bridge")
    for name in ("server", "fw1", "fw2"):
        hosts.link(name, "eth0", "lan", name)
        hosts["lan"].run("ip", "link", "set", "dev", name, "master", "lan", "up")
    hosts.link("fw3", "eth0", "server", "eth1")
    hosts.link("container", "eth0", "server", "inside")
    for line in LINES:
        hosts.link(f"fw{line}", "wan", "client", f"isp{line}")
        hosts["client"].address(f"isp{line}", f"203.0.{line}.2/24", f"2001:db8:{line}::2/64")


def _firewall(host: Host, line: int) -> None:
    host.address("wan", *(f"{public(line, f)}/{LENGTH[f]}" for f in FAMILIES))
    host.address("eth0", *(f"{gateway(line, f)}/{LENGTH[f]}" for f in FAMILIES))
    host.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    host.run("ip", "route", "add", CLIENTS[4], "via", f"203.0.{line}.2")
    host.run("ip", "route", "add", CLIENTS[6], "via", f"2001:db8:{line}::2")
    if line == 3:
        host.run("ip", "route", "add", SERVER[4], "via", alias(3, 4))
        host.run("ip", "route", "add", SERVER[6], "via", alias(3, 6))
    translate(host, line)


def translate(host: Host, line: int) -> None:
    """Translate all that is sent to a line's public addresses to the server's one address."""
    rules = [f"ip daddr {public(line, 4)} dnat ip to {SERVER[4]}"]
    rules += [f"ip6 daddr {public(line, 6)} meta l4proto {{ tcp, udp }} dnat ip6 to {SERVER[6]}"]
    rules += [f"ip6 daddr {public(line, 6)} icmpv6 type echo-request dnat ip6 to {SERVER[6]}"]
    load(host, "prerouting", "type nat hook prerouting priority dstnat;", *rules)


def _tables() -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = [
        {"id": 1000 + line, "routes": [{"destination": "default", "gateway": gateway(line, f)} for f in FAMILIES]}
        for line in LINES
    ]
    # The first look-up goes by line 1, and gives a process that answers from any address the one that was asked.
    defaults = [{"destination": "default", "gateway": gateway(1, f), "source": SERVER[f]} for f in FAMILIES]
    return [*tables, {"id": 254, "routes": defaults}]


def _rules() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for family in FAMILIES:
        common = {"family": f"ipv{family}"}
        rules.append({"priority": 20000, **common, "table": 254, "suppress_prefix_length": 0})
        for line in LINES:
            marked = {**common, "mark": f"0x{line:x}/0xff"}
            bound = {"source": alias(line, family)}
            rules += [
                {"priority": 20000 + 10 * line, **marked, "table": 1000 + line},
                {"priority": 20001 + 10 * line, **marked, "action": "unreachable"},
                {"priority": 23000 + 10 * line, **bound, "table": 1000 + line},
                {"priority": 23001 + 10 * line, **bound, "action": "unreachable"},
            ]
    return rules


def load(host: Host, name: str, definition: str, *rules: str, table: str = "test") -> None:
    """Add a chain with rules to a table of the test's own."""
    lines = [f"table inet {table} {{", f"chain {name} {{", definition, *rules, "}", "}"]
    host.run("nft", "-f", "-", feed="\n".join([*lines, ""]))


def must(host: Host, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run a module that must not fail, with a diff."""
    result = run_module(module, options, check=check, diff=True, netns_prefix=host.prefix)
    assert "failed" not in result, result.get("msg")
    return result


def asked(
    hosts: Hosts,
    family: int,
    protocol: str,
    lines: Sequence[int] = LINES,
    port: int = 7,
    times: int = 5,
    timeout: float = 5,
) -> dict[int, set[str | None]]:
    """Ask the server by lines, several times at once; return what came of it by line, None for the right answer.

    An answer by UDP holds the real client's address.
    """
    targets: list[dict[str, Any]] = []
    for line in lines:
        target: dict[str, Any] = {"line": str(line), "address": public(line, family), "source": visitor(line, family)}
        target |= {} if protocol == "icmp" else {"port": port}
        target |= {"expect": visitor(line, family)} if protocol == "udp" else {}
        targets += [{**target, "protocol": protocol, "timeout": timeout}] * times
    result = run_module("line_check", {"targets": targets}, netns_prefix=hosts["client"].prefix)
    assert "rows" in result, result.get("msg")
    outcome: dict[int, set[str | None]] = {line: set() for line in lines}
    for row in result["rows"]:
        outcome[int(row["line"])].add(row["error"])
    return outcome


def answering(hosts: Hosts, family: int, protocol: str = "udp", port: int = 7) -> list[int]:
    """Return the lines by which every answer came; by the others none may."""
    outcome = asked(hosts, family, protocol, port=port, times=2, timeout=2)
    assert all(errors in ({None}, {"no answer within 2 s"}) for errors in outcome.values()), outcome
    return [line for line, errors in outcome.items() if errors == {None}]
