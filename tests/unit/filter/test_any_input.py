# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever JSON or YAML can say gives a result or an AnsibleFilterError, and no other exception."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS, everything
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SEED = declarations.seed()
KEYS = sorted(
    {"lines", "servers", "services", "public", "private", "protocol", "gateways", "line", "port", "to_address"}
    | {key for part in SEED.values() for entry in part for key in entry}
)
LIKELY = [
    "unicom", "interlink", "web1", "fw-a", "192.168.168.1/24", "203.0.113.10", "::/0", "fe80::1", "1.2.3.4/33",
    "80/tcp", "5000-6000/udp", "80-/tcp", "eth0", "\ud800", "\x00", 10**30, "\u0661",
]  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(LIKELY)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4) | st.integers(), inner, max_size=6)
    ),
    max_leaves=15,
)
# The variables of both roles, without their names before them.
VARIABLES = (
    "allow_disconnect", "confirm_timeout", "other_lines", "zones_on_lines_only", "server_lines",
    "forwards", "hairpins", "snat", "inside_networks", "networks", "own_ports", "reply", "default_route",
    "balance_from", "table_base", "priority_base", "source_priority_base", "mark_mask", "interface_group", "backend",
    "forward_policy", "forget_flows", "manage_sysctl", "manage_networkd", "reply_taken", "purge", "persist",
)  # fmt: skip
# What each filter takes behind its input.
ARGUMENTS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "isp_firewall_nat_rules": lambda value: (value,) * 5,
    "isp_firewall_accept": lambda value: (value,) * 5,
    "isp_firewall_taken_ports": lambda value: (value if isinstance(value, list) else [value],),
    "isp_firewall_marks": lambda value: (value,) * 4,
    "isp_firewall_tables": lambda value: (value,) * 4,
    "isp_firewall_rules": lambda value: (value,) * 8,
    "isp_firewall_faults": lambda value: (value,) * 10,
    "isp_firewall_interface_groups": lambda value: (value,) * 2,
    "isp_firewall_replies": lambda value: (value,) * 5,
    "isp_firewall_options": lambda value: (dict.fromkeys(VARIABLES, value),),
    "multihomed_web_options": lambda value: (dict.fromkeys(VARIABLES, value), {"interfaces": value}),
    "multihomed_web_faults": lambda value: (value, value, value, "mark", "balance", *(value,) * 5),
    "multihomed_web_interface_groups": lambda value: (value,) * 2,
    "multihomed_web_replies": lambda value: ("mark", *(value,) * 4),
    "multihomed_web_reply_way": lambda value: (value,),
    "verify_replies": lambda value: ("web1", value, value),
    "multihomed_web_gather_subset": lambda value: (value,),
    "multihomed_web_tables": lambda value: ("balance", *(value,) * 4),
    "multihomed_web_rules": lambda value: (value, value, value, "mark", "none", *(value,) * 4),
    "multihomed_web_marks": lambda value: (value, "balance", value, value),
    "multihomed_web_aliases": lambda value: ("balance", value),
    "confirm_targets": lambda value: ("web1", value if isinstance(value, list) else [value]),
    "path_info_paths": lambda value: ("web1", ["192.0.2.1"], value),
    "verify_domain_faults": lambda value: ({"web1": [{"msg": "x"}]}, {"client1": value}, {"client1": []}),
    "verify_report": lambda _value: ({"client1": []}, {"web1": []}),
    "with_assigned": lambda value: ({"fw-a": {"wan0": value}, "web1": value},),
}
OF_HOST = ("isp_firewall_lines", "dns_line_names", "isp_firewall_forwards", "isp_firewall_hairpins",
           "isp_firewall_snat", "isp_firewall_inside_networks", "isp_firewall_networks",
           "multihomed_web_lines", "multihomed_web_reply", "dns_zones",
           "dns_name_server", "isp_firewall_zones_on_lines_only", "isp_firewall_other_lines",
           "isp_firewall_server_lines")  # fmt: skip
ARGUMENTS |= dict.fromkeys(OF_HOST, lambda value: (value,) if isinstance(value, str) else ("fw-a",))
# They take results of modules and of other filters, which nobody writes by hand.
TRUSTING = {
    "change_summary",
    "group_faults",
    "host_preparation",
    "host_steps",
    "services_seen",
    "with_inventory",
    "with_second_attempts",
}


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in nested data."""
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*here, key))


def put(declaration: Any, path: tuple[Any, ...], value: object) -> Any:
    """The declaration with a value at a place; as it was where an earlier change took the place away."""
    if not path:
        return value
    outcome = node = copy.deepcopy(declaration)
    with contextlib.suppress(LookupError, TypeError):
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
    return outcome


def run_all(value: Any) -> None:
    """Every filter on a value. What is not refused has an outcome for every host, and has no fault."""
    for name, function in FILTERS.items():
        if name in TRUSTING:
            continue
        with contextlib.suppress(AnsibleFilterError):
            function(value, *ARGUMENTS.get(name, lambda _value: ())(value))
    if FILTERS["declaration_faults"](value) == []:
        everything(value)


@given(ANYTHING)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_anything_at_all(value: object) -> None:
    run_all(value)


@given(st.lists(st.tuples(st.sampled_from(list(paths(SEED))), ANYTHING), min_size=1, max_size=3))
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_a_declaration_with_anything_in_some_places(changes: list[tuple[tuple[Any, ...], object]]) -> None:
    value: Any = SEED
    for path, inner in changes:
        value = put(value, path, inner)
    run_all(value)


@pytest.mark.parametrize("path", list(paths(SEED)), ids=str)
def test_a_number_too_long_to_write_down(path: tuple[Any, ...]) -> None:
    run_all(put(SEED, path, 10**5000))


def test_control_another_exception_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_value: object) -> None:
        raise TypeError

    monkeypatch.setitem(FILTERS, "multihomed_web_aliases", fail)
    with pytest.raises(TypeError):
        run_all(SEED)
