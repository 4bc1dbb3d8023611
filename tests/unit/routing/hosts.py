# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and lists for hypothesis: few values of each kind, so that what is listed meets what stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import RequestFailed
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import rtnetlink_encoding
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from hypothesis import strategies as st

from .fake_kernel import INTERFACES, FakeKernel
from .values import (
    ADDRESSES,
    BY_HAND,
    DESTINATIONS,
    NOBODY,
    OURS,
    OWNERS,
    SELECTORS,
    TARGETS,
    WAYS,
)

owners = st.sampled_from(OWNERS)

aliases = st.sampled_from(
    [
        {"address": address, "interface": interface, **({"label": label} if label and ":" not in address else {})}
        for interface, addresses in ADDRESSES.items()
        for address in addresses
        for label in (None, f"{interface}:1", interface)
    ]
    + [{"address": address, "interface": "eth0", "preferred_lifetime": 0} for address in ("fd00::1/64", "fd00::2/64")]
)

routes = st.builds(
    lambda family, way, everything, metric: {
        "destination": DESTINATIONS[family][everything],
        **({"metric": metric} if metric else {}),
        **WAYS[family][way % len(WAYS[family])],
    },
    st.integers(0, 1),
    st.integers(0, 7),
    st.integers(0, 1),
    st.sampled_from((0, 0, 5)),
)
tables = st.sampled_from((254, 1001, 1002))

_optional = {name: st.sampled_from(values) for name, values in SELECTORS.items()}
_required: dict[str, st.SearchStrategy[Any]] = {
    "priority": st.sampled_from((0, 100, 101, 40000)),
    "family": st.just("ipv4"),
}
rules = st.builds(
    lambda selectors, what: {**selectors, **what},
    st.fixed_dictionaries(_required, optional=_optional),
    st.sampled_from(TARGETS),
)


def alias_host(settings: Path, standing: Sequence[tuple[int, dict[str, Any]]]) -> FakeKernel:
    """Return a host with addresses, each of an owner."""
    fake = FakeKernel(settings)
    for owner, entry in standing:
        alias = Alias.parse(entry)
        _try(fake, rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], owner))
    return fake


def routing_host(
    settings: Path,
    standing_routes: Sequence[tuple[int, int, dict[str, Any]]],
    standing_rules: Sequence[tuple[int, dict[str, Any]]],
) -> FakeKernel:
    """Return a host with two interfaces that have addresses, and with routes (owner, table, entry) and rules."""
    fake = alias_host(settings, [(NOBODY, {"address": address, "interface": link}) for link, address in BY_HAND])
    add_routing(fake, standing_routes, standing_rules)
    return fake


def add_routing(
    fake: FakeKernel,
    standing_routes: Sequence[tuple[int, int, dict[str, Any]]],
    standing_rules: Sequence[tuple[int, dict[str, Any]]],
) -> None:
    """Add routes (owner, table, entry) and rules (owner, entry) to a host."""
    for owner, table, entry in standing_routes:
        _try(fake, rtnetlink_encoding.encode_route(Route.parse(entry, table), INTERFACES, owner))
    for owner, entry in standing_rules:
        _try(fake, rtnetlink_encoding.encode_rule(Rule.parse(entry), owner))


def _try(fake: FakeKernel, message: Any) -> None:
    try:
        fake.carry_out("add", message)
    except RequestFailed:
        return  # something of the same key stands already


def alias_engine(fake: FakeKernel, listed: Sequence[dict[str, Any]], purge: bool) -> AliasEngine:
    """Return the engine of ip_aliases on a host."""
    return AliasEngine(listed, OURS, purge, fake.executor())


def routing_engine(
    fake: FakeKernel, listed: Sequence[tuple[int, dict[str, Any]]], rules: Sequence[dict[str, Any]], purge: bool
) -> RoutingEngine:
    """Return the engine of policy_routing on a host; ``listed`` are (table, route)."""
    numbers = dict.fromkeys(table for table, _route in listed)
    declared = [{"id": number, "routes": [route for table, route in listed if table == number]} for number in numbers]
    return RoutingEngine(declared, rules, OURS, purge, fake.executor())


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
