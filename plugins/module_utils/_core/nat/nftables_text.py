# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations as text for nft. nftables_reading.py reads them back from JSON."""

from __future__ import annotations

from ..fields import port_text
from ..filters.nftables_json import ip
from .maps import JOIN, SHIFT, Item, Key, MapName, port_of
from .model import EVERYTHING, NatRule, hook
from .protocols import NUMBERS, WITH_PORTS, number_of

# Names of nft's data types and expressions per token; {ip} is ip or ip6.
TYPES = {"iif": "ifname", "oif": "ifname", "proto": "inet_proto"}
TYPES.update(dict.fromkeys(("sport", "sports", "dport", "dports", SHIFT, JOIN), "inet_service"))
TYPES.update(dict.fromkeys(("saddr", "snet", "daddr", "dnet"), "{ip}_addr"))
EXPRESSIONS = {"iif": "iifname", "oif": "oifname", "proto": "meta l4proto"}
EXPRESSIONS.update(dict.fromkeys(("saddr", "snet"), "{ip} saddr"))
EXPRESSIONS.update(dict.fromkeys(("daddr", "dnet"), "{ip} daddr"))
EXPRESSIONS.update(dict.fromkeys(("sport", "sports"), "th sport"))
EXPRESSIONS.update(dict.fromkeys(("dport", "dports", SHIFT, JOIN), "th dport"))
# By number: names would need /etc/protocols on the host.
_PORT_GUARD = f"meta l4proto {{ {', '.join(str(NUMBERS[name]) for name in WITH_PORTS)} }} "

# The chain that holds the lookups and rules of each hook.
CHAINS = {"destination": "nat_destination", "source": "nat_postrouting"}
# name -> hook and priority; None is a chain that others jump to. Chains of iptables, Docker and firewalld are at -100
# and 100: of the same priority, the one that was loaded first would translate a connection.
BASE_CHAINS: dict[str, tuple[str, int] | None] = {
    "nat_destination": None,
    "nat_prerouting": ("prerouting", -101),
    "nat_output": ("output", -101),
    "nat_postrouting": ("postrouting", 99),
}
# Packets that a host sends to one of its own addresses are translated like those from elsewhere; loopback never is.
FIXED_RULES = (
    ("nat_prerouting", "jump nat_destination"),
    ("nat_output", "ip daddr != 127.0.0.0/8 fib daddr type local jump nat_destination"),
    ("nat_output", "ip6 daddr != ::1 fib daddr type local jump nat_destination"),
)


def selector_of(token: str, family: int) -> str:
    """Return the expression of a token as it is called when it is read back."""
    return f"meta {token}name" if token in ("iif", "oif") else EXPRESSIONS[token].replace("{ip}", ip(family))


def types(name: MapName) -> tuple[list[str], list[str]]:
    """Return the data types of a map's key and value."""
    address = "ipv6_addr" if name.family == 6 else "ipv4_addr"
    keys = [TYPES[token].replace("{ip}_addr", address) for token in name.tokens]
    if name.has_only_ports:
        return keys, ["inet_service"]
    return keys, [address, "inet_service"] if name.has_port_value else [address]


def skeleton(table: str) -> list[str]:
    """Return the lines that create the chains and the rules that are always in them."""
    lines = []
    for chain, base in BASE_CHAINS.items():
        definition = f" {{ type nat hook {base[0]} priority {base[1]}; policy accept; }}" if base else ""
        lines.append(f"add chain inet {table} {chain}{definition}")
    lines.extend(f"add rule inet {table} {chain} {rule}" for chain, rule in FIXED_RULES)
    return lines


def map_definition(table: str, name: MapName) -> str:
    """Return the line that creates a map."""
    keys, values = types(name)
    flags = " flags interval;" if name.has_intervals else ""
    return f"add map inet {table} {name} {{ type {' . '.join(keys)} : {' . '.join(values)};{flags} counter; }}"


def key_text(name: MapName, key: Key) -> str:
    """Return an element's key."""
    parts = []
    for token, value in zip(name.tokens, key):
        if token in ("iif", "oif"):
            parts.append(f'"{value}"')
        elif token == "proto":
            parts.append(str(number_of(str(value))))
        elif isinstance(value, tuple):
            parts.append(port_text(value))
        else:
            parts.append(str(value))
    return " . ".join(parts)


def element_text(name: MapName, key: Key, rule: NatRule, counted: tuple[int, int]) -> str:
    """Return an element with its counter, comment and value."""
    label = comment(rule, name.tokens[-1] == SHIFT)
    return f"{key_text(name, key)} {_counter(counted)}{label} : {_value_text(name, key, rule)}"


def _value_text(name: MapName, key: Key, rule: NatRule) -> str:
    if name.has_only_ports:
        return str(rule.to_port[0] if rule.to_port else key[-1])
    return f"{rule.to_address} . {target_port(rule, port_of(key))}" if name.has_port_value else str(rule.to_address)


def target_port(rule: NatRule, port: int) -> int:
    """Return the port that one port of a translation becomes."""
    if rule.to_port is None or rule.destination_port is None:
        return port
    if rule.to_port[0] == rule.to_port[1]:
        return rule.to_port[0]
    return rule.to_port[0] + port - rule.destination_port[0]


def comment(rule: NatRule, shifted: bool) -> str:
    """Return the comment of an element or rule; the comment of a shifted port says which range it belongs to."""
    words = [port_text(rule.destination_port)] if shifted and rule.destination_port else []
    words += [rule.name] if rule.name else []
    return f' comment "{" ".join(words)}"' if words else ""


def _counter(counted: tuple[int, int]) -> str:
    return f"counter packets {counted[0]} bytes {counted[1]}" if any(counted) else "counter"


def item_text(item: Item, counted: tuple[int, int] = (0, 0)) -> str:
    """Return a lookup or a rule of a chain."""
    return _lookup(item) if isinstance(item, MapName) else _rule(item, counted)


def _lookup(name: MapName) -> str:
    expressions = " . ".join(EXPRESSIONS[token] for token in name.tokens).replace("{ip}", ip(name.family))
    guard = _PORT_GUARD if name.needs_protocol else ""
    if name.has_only_ports:
        return f"meta nfproto ipv{name.family} {guard}redirect to :{expressions} map @{name}"
    return f"{guard}{name.type} {ip(name.family)} to {expressions} map @{name}"


def _rule(rule: NatRule, counted: tuple[int, int]) -> str:
    words = [f"meta nfproto ipv{rule.family}"]
    if rule.in_interface:
        words.append(f'iifname "{rule.in_interface}"')
    if rule.out_interface:
        words.append(f'oifname "{rule.out_interface}"')
    if rule.source:
        words.append(f"{ip(rule.family)} saddr {rule.source}")
    if rule.destination:
        words.append(f"{ip(rule.family)} daddr {rule.destination}")
    if rule.protocol != "any":
        words.append(f"meta l4proto {number_of(rule.protocol)}")
    if rule.source_port:
        words.append(f"th sport {port_text(rule.source_port)}")
    if rule.destination_port:
        words.append(f"th dport {port_text(rule.destination_port)}")
    words.append(_counter(counted))
    return " ".join(words) + f" {_statement(rule)}{comment(rule, shifted=False)}"


def _statement(rule: NatRule) -> str:
    ports = f":{port_text(rule.to_port)}" if rule.to_port else ""
    flags = f" {','.join(rule.flags)}" if rule.flags else ""
    if rule.type in ("masquerade", "redirect"):
        return f"{rule.type} to {ports}{flags}" if ports else f"{rule.type}{flags}"
    if rule.type == "exempt":
        # Translated to itself, so that no later chain of any program translates it either.
        kind = "dnat" if hook(rule) == "destination" else "snat"
        return f"{kind} {ip(rule.family)} prefix to {EVERYTHING[rule.family]}"
    if rule.to_address and "/" in rule.to_address:
        return f"{rule.type} {ip(rule.family)} prefix to {rule.to_address}"
    address = f"[{rule.to_address}]" if rule.family == 6 and ports else rule.to_address
    return f"{rule.type} {ip(rule.family)} to {address}{ports}{flags}"
