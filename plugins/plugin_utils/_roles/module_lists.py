# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The entries of the lists that the roles give to their modules, as the modules document them."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Alias(TypedDict):
    """An entry of ip_aliases."""

    name: str
    address: str
    interface: str


class KernelParameter(TypedDict, total=False):
    """An entry of kernel_parameters."""

    name: str
    value: str
    optional: bool


class Route(TypedDict, total=False):
    """A route of a table of policy_routing."""

    name: str
    destination: str
    gateway: str
    interface: str
    metric: int
    source: str
    onlink: bool


class Table(TypedDict, total=False):
    """A table of policy_routing."""

    id: int
    name: str
    routes: list[Route]


class Rule(TypedDict, total=False):
    """A rule of policy_routing."""

    name: str
    family: str
    source: str
    destination: str
    in_interface: str
    mark: str
    priority: int
    table: int
    action: str
    suppress_prefix_length: int
    suppress_interface_group: int


# The part of a rule that says which packets it is about.
Selector = Rule


class InterfaceGroup(TypedDict):
    """An entry of ``interface_groups`` of policy_routing."""

    interface: str
    group: int


class Mark(TypedDict, total=False):
    """An entry of ``marks`` of connection_marks."""

    name: str
    mark: int
    in_interface: str
    gateway: str
    source: str


class Share(TypedDict):
    """An entry of ``balance`` of connection_marks."""

    name: str
    mark: int
    weight: int
    sources: list[str]


class MarkLists(TypedDict):
    """The lists of connection_marks."""

    marks: list[Mark]
    balance: list[Share]
    balance_from: list[str]
    balance_exclude: list[str]


class FirewallMarkLists(TypedDict):
    """The lists of connection_marks on a firewall."""

    marks: list[Mark]
    balance: list[Share]
    balance_networks: list[str]
    balance_exclude: list[str]
    keep_networks: list[str]


class NatRule(TypedDict, total=False):
    """An entry of nat_rules."""

    name: str
    type: str
    protocol: str
    source: str
    destination: str
    destination_port: str
    out_interface: str
    to_address: str
    to_port: str


class TakenPort(TypedDict):
    """An entry of ``taken_ports`` of preflight."""

    name: str
    address: str
    port: int
    server: str


class Accept(TypedDict, total=False):
    """An entry of ``accept`` of forward_policy."""

    mapped_to: str
    source: str
    out_interface: str


class Clamp(TypedDict):
    """An entry of ``mss`` of forward_policy."""

    interface: str
    mss: str


class PathQuery(TypedDict, total=False):
    """An entry of path_info."""

    name: str
    source: str
    mark: str
    destination: str


class Reply(TypedDict, total=False):
    """An entry of ``replies`` of path_info."""

    line: str
    table: int
    source: str
    gateways: list[str]
    mark: str
    forwarded: bool
    interface: str
    networks: list[str]


class ReplyLists(TypedDict):
    """What path_info checks about replies."""

    replies: list[Reply]
    inside_networks: list[str]


class Target(TypedDict):
    """An entry of line_check."""

    name: str
    line: str
    address: str
    port: int
    protocol: str
    timeout: float
    attempts: NotRequired[int]
