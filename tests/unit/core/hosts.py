# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and lists for hypothesis: few values of each kind, so that what is listed meets what stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core import wire
from ansible_collections.multihome.linux.plugins.module_utils._core.engines import AliasEngine, RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.model import Alias, Route, Rule
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink import RequestFailed
from hypothesis import strategies as st

from .fake_kernel import INTERFACES, FakeKernel

OURS, BIRD, NOBODY = 109, 12, 0
owners = st.sampled_from((OURS, OURS, BIRD, NOBODY))

_ADDRESSES = {
    "eth0": ("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.9.9/32", "fd00::1/64", "fd00::1/48", "fd00::2/64"),
    "eth1": ("10.1.0.1/24", "10.1.0.2/24", "fd01::1/64"),
}
aliases = st.sampled_from(
    [
        {"address": address, "interface": interface, **({"label": label} if label and ":" not in address else {})}
        for interface, addresses in _ADDRESSES.items()
        for address in addresses
        for label in (None, f"{interface}:1", interface)
    ]
    + [{"address": address, "interface": "eth0", "preferred_lifetime": 0} for address in ("fd00::1/64", "fd00::2/64")]
)

_WAYS: tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]] = (
    (
        {"gateway": "10.0.0.254"},
        {"gateway": "10.0.0.254", "interface": "eth0"},
        {"gateway": "10.1.0.254", "mtu": 1400},
        {"interface": "eth1", "source": "10.1.0.1"},
        {"type": "unreachable"},
        {"gateway": "192.0.2.1", "interface": "eth1", "onlink": True},
        {"nexthops": [{"gateway": "10.0.0.254", "weight": 3}, {"gateway": "10.1.0.254"}]},
        {"nexthops": [{"gateway": "10.1.0.254"}, {"gateway": "10.0.0.254", "weight": 3}]},
    ),
    (
        {"gateway": "fd00::fe"},
        {"gateway": "fe80::1", "interface": "eth1"},
        {"type": "blackhole"},
        {"nexthops": [{"gateway": "fd00::fe"}, {"gateway": "fd01::fe", "weight": 2}]},
    ),
)
routes = st.builds(
    lambda family, way, everything, metric: {
        "destination": (("10.9.0.0/16", "0.0.0.0/0"), ("fd09::/64", "::/0"))[family][everything],
        **({"metric": metric} if metric else {}),
        **_WAYS[family][way % len(_WAYS[family])],
    },
    st.integers(0, 1),
    st.integers(0, 7),
    st.integers(0, 1),
    st.sampled_from((0, 0, 5)),
)
tables = st.sampled_from((254, 1001, 1002))

_optional: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(("10.0.0.1", "10.0.0.0/24")),
    "destination": st.just("10.9.0.0/16"),
    "in_interface": st.just("eth0"),
    "mark": st.sampled_from(("0x1", "0x1/0xff")),
    "invert": st.just(True),
}
_required: dict[str, st.SearchStrategy[Any]] = {
    "priority": st.sampled_from((0, 100, 101, 40000)),
    "family": st.just("ipv4"),
}
rules = st.builds(
    lambda selectors, what: {**selectors, **what},
    st.fixed_dictionaries(_required, optional=_optional),
    st.sampled_from(
        (
            {"table": 1001},
            {"table": 1001},
            {"table": 1002},
            {"table": 254, "suppress_prefix_length": 0},
            {"action": "unreachable"},
            {"table": 1001, "ip_protocol": "tcp", "destination_port": 80},
        )
    ),
)


def alias_host(settings: Path, standing: Sequence[tuple[int, dict[str, Any]]]) -> FakeKernel:
    """Return a host with addresses, each of an owner."""
    fake = FakeKernel(settings)
    for owner, entry in standing:
        alias = Alias.parse(entry)
        _try(fake, wire.encode_alias(alias, INTERFACES[alias.interface], owner))
    return fake


def routing_host(
    settings: Path,
    standing_routes: Sequence[tuple[int, int, dict[str, Any]]],
    standing_rules: Sequence[tuple[int, dict[str, Any]]],
) -> FakeKernel:
    """Return a host with two interfaces that have addresses, and with routes (owner, table, entry) and rules."""
    addresses = ("eth0", "10.0.0.1/24"), ("eth0", "fd00::1/64"), ("eth1", "10.1.0.1/24"), ("eth1", "fd01::1/64")
    fake = alias_host(settings, [(NOBODY, {"address": address, "interface": link}) for link, address in addresses])
    add_routing(fake, standing_routes, standing_rules)
    return fake


def add_routing(
    fake: FakeKernel,
    standing_routes: Sequence[tuple[int, int, dict[str, Any]]],
    standing_rules: Sequence[tuple[int, dict[str, Any]]],
) -> None:
    """Add routes (owner, table, entry) and rules (owner, entry) to a host."""
    for owner, table, entry in standing_routes:
        _try(fake, wire.encode_route(Route.parse(entry, table), INTERFACES, owner))
    for owner, entry in standing_rules:
        _try(fake, wire.encode_rule(Rule.parse(entry), owner))


def _try(fake: FakeKernel, message: Any) -> None:
    try:
        fake.carry_out("add", message)
    except RequestFailed:
        return  # something of the same key stands already


def alias_engine(fake: FakeKernel, listed: Sequence[dict[str, Any]], purge: bool) -> AliasEngine:
    """Return the engine of ip_aliases on a host."""
    return AliasEngine(listed, OURS, purge, fake.kernel())


def routing_engine(
    fake: FakeKernel, listed: Sequence[tuple[int, dict[str, Any]]], rules: Sequence[dict[str, Any]], purge: bool
) -> RoutingEngine:
    """Return the engine of policy_routing on a host; ``listed`` are (table, route)."""
    numbers = dict.fromkeys(table for table, _route in listed)
    declared = [{"id": number, "routes": [route for table, route in listed if table == number]} for number in numbers]
    return RoutingEngine(declared, rules, OURS, purge, fake.kernel())


def acceptable(make: Callable[[list[Any]], Any], entries: Iterable[Any]) -> list[Any]:
    """Return the entries without those that the list before them makes impossible (duplicates and the like)."""
    kept: list[Any] = []
    for entry in entries:
        try:
            make([*kept, entry])
        except InvalidInput:
            continue
        kept.append(entry)
    return kept
