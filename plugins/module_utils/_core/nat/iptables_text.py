# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations as text for iptables-restore, and read back from iptables-save. Pure.

iptables has no other form of output than this one. Both texts are the same but for quotation marks.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from .. import fields
from ..errors import InvalidInput
from ..filters.iptables_save import interface_faults, quoted
from .entry_faults import Ports
from .model import EVERYTHING, NatRule
from .model import hook as hook_of
from .protocols import printed

_TARGETS = {"DNAT": "--to-destination", "SNAT": "--to-source", "NETMAP": "--to", "MASQUERADE": "--to-ports"}
_TARGETS["REDIRECT"] = "--to-ports"
# The targets that have no option --persistent.
_NOT_PERSISTENT = ("masquerade", "redirect")
_PORTS = r"(?P<ports>[0-9-]+)(?:/(?P<base>[0-9]+))?"
_TO = {
    4: re.compile(rf"(?P<address>[0-9./]+)(?::{_PORTS})?"),
    6: re.compile(rf"(\[)?(?P<address>[0-9a-f:./]+)(?(1)\]:{_PORTS})"),
}
_FLAGS = ("--random", "--persistent")
_OPTIONS = {
    "-s": "source",
    "-d": "destination",
    "-i": "in_interface",
    "-o": "out_interface",
    "-p": "protocol",
    "--sport": "source_port",
    "--dport": "destination_port",
    "--comment": "name",
}


def faults(rule: NatRule) -> list[str]:
    """Return the parts of a translation that nft can match or express and iptables cannot."""
    found = interface_faults(in_interface=rule.in_interface, out_interface=rule.out_interface)
    if rule.persistent and rule.type in _NOT_PERSISTENT:
        found.append(
            f"persistent: iptables has it for dnat and snat, not for {rule.type}; leave it out, or use nftables"
        )
    return found


def rule_text(rule: NatRule) -> str:
    """Return the text after ``-A CHAIN``."""
    words = []
    if rule.source:
        words.append(f"-s {_whole(rule.source)}")
    if rule.destination:
        words.append(f"-d {_whole(rule.destination)}")
    if rule.in_interface:
        words.append(f"-i {rule.in_interface}")
    if rule.out_interface:
        words.append(f"-o {rule.out_interface}")
    if rule.protocol != "any":
        words.append(f"-p {rule.protocol}")
    if rule.source_port or rule.destination_port:
        words.append(f"-m {rule.protocol}")
    if rule.source_port:
        words.append(f"--sport {_port_text(rule.source_port)}")
    if rule.destination_port:
        words.append(f"--dport {_port_text(rule.destination_port)}")
    if rule.name:
        words.append(f"-m comment --comment {quoted(rule.name)}")
    return " ".join([*words, "-j", *_target(rule)])


def _whole(prefix: str) -> str:
    return prefix if "/" in prefix else f"{prefix}/{128 if ':' in prefix else 32}"


def _port_text(ports: Ports) -> str:
    return fields.port_text(ports).replace("-", ":")


def _target(rule: NatRule) -> list[str]:
    ports = fields.port_text(rule.to_port) if rule.to_port else None
    flags = [f"--{flag}" for flag in rule.flags]
    if rule.type in ("masquerade", "redirect"):
        target = rule.type.upper()
        return [target, "--to-ports", ports, *flags] if ports else [target, *flags]
    if rule.type == "exempt":
        # Translated to itself, so that no later chain of any program translates it either.
        return ["NETMAP", "--to", EVERYTHING[rule.family]]
    address = str(rule.to_address)
    if "/" in address:
        return ["NETMAP", "--to", address]
    if ports:
        address = f"[{address}]:{ports}" if rule.family == 6 else f"{address}:{ports}"
    if rule.shifts_ports and rule.destination_port:
        # The port that the first one is counted from; without it the kernel would choose any port of the range.
        address += f"/{rule.destination_port[0]}"
    target = rule.type.upper()
    return [target, _TARGETS[target], address, *flags]


def parse_rule(words: Sequence[str], family: int, hook: str) -> NatRule | None:
    """Return the translation of the words after ``-A CHAIN``; None for a rule that rule_text() does not write."""
    values: dict[str, Any] = {}
    modules: list[str] = []
    place = 0
    while place + 1 < len(words) and words[place] != "-j":
        option, argument = words[place], words[place + 1]
        place += 2
        if option == "-m":
            modules.append(argument)
            continue
        field = _OPTIONS.get(option)
        value = _value(field, argument) if field else None
        if value is None or field in values:
            return None
        values[str(field)] = value
    if words[place : place + 1] != ["-j"] or not set(modules) <= {values.get("protocol"), "comment"}:
        return None
    return _with_target(values, words[place + 1 :], family, hook)


def _value(field: str, argument: str) -> str | Ports | None:
    if field in ("source", "destination"):
        return _prefix(argument)
    if field == "protocol":
        return printed(argument)
    if field in ("source_port", "destination_port"):
        return _ports(argument.replace(":", "-"))
    return argument


@functools.cache
def _prefix(text: str) -> str | None:
    try:
        return fields.short_prefix(str(ipaddress.ip_network(text)))
    except ValueError:
        return None


@functools.cache
def _ports(text: str) -> Ports | None:
    try:
        return fields.port_range(text)
    except ValueError:
        return None


def _with_target(values: dict[str, Any], words: Sequence[str], family: int, hook: str) -> NatRule | None:
    """Return the translation to a target, given as its name, option and argument."""
    values = {**values, **{word[2:]: True for word in words if word in _FLAGS}}
    words = [word for word in words if word not in _FLAGS]
    target, option, argument = (*words, "", "")[:3] if words else ("", "", "")
    if target not in _TARGETS or len(words) not in (1, 3) or (option and option != _TARGETS[target]):
        return None
    kind = target.lower()
    if target == "NETMAP":
        kind = "dnat" if hook == "destination" else "snat"
    address: str | None = None
    ports: Ports | None = None
    base: str | None = None
    if option == "--to-ports":
        ports = _ports(argument)
        if ports is None:
            return None
    elif option:
        match = _TO[family].fullmatch(argument)
        address = _prefix(match["address"]) if match else None
        if match is None or address is None or ("/" in address) != (target == "NETMAP"):
            return None
        ports, base = _ports(match["ports"] or ""), match["base"]
        if match["ports"] and ports is None:
            return None
    if address == EVERYTHING[family]:
        kind, address = "exempt", None
        if "in_interface" not in values and "out_interface" not in values:
            values["keeps"] = hook
    rule = NatRule(family, kind, to_address=address, to_port=ports, **values)
    counted_from = str(rule.destination_port[0]) if rule.shifts_ports and rule.destination_port else None
    if base != counted_from or hook_of(rule) != hook:
        return None
    return rule if _can_be_asked_for(rule) else None


def _can_be_asked_for(rule: NatRule) -> bool:
    try:
        return NatRule.parse(rule.as_input()) == rule
    except InvalidInput:
        return False
