# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever declaration the controller accepts, every module accepts the lists that follow from it, on each backend."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import MultihomeError
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.backend import Current as FilterState
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.nftables import Nftables
from ansible_collections.multihome.linux.plugins.module_utils._core.filters.selection import Selection
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.iptables import IptablesForward
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.model import Forwarding, parse_accept
from ansible_collections.multihome.linux.plugins.module_utils._core.host.kernel_parameters import (
    DEFAULT_FILE,
    KernelParameterEngine,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.backend import State
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.engine import Current, MarkEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.iptables import IptablesMarks
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.model import Marks
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.nftables import NftablesMarks
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables import IptablesBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables import NftablesBackend
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.model import parse_desired
from ansible_collections.multihome.linux.plugins.module_utils._core.probes.targets import parse_targets
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.neighbours import Resolution
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.snapshot import Snapshot
from ansible_collections.multihome.linux.plugins.modules.preflight import ARGUMENT_SPEC as PREFLIGHT
from ansible_collections.multihome.linux.plugins.plugin_utils._declaration import lists as declared_lists
from ansible_collections.multihome.linux.plugins.plugin_utils._firewall import lines as firewall_lines
from ansible_collections.multihome.linux.plugins.plugin_utils._input.reading import Field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import declarations
from .derived import FILTERS, everything

# Values at the edges of what a field takes, and beyond them.
LINE_NAMES = st.sampled_from(
    ("a" * 64, "a" * 65, "main", "default", "local", "all", "0", "-", "_", "1e3", "é")
) | st.from_regex("[a-z0-9_-]{1,66}", fullmatch=True)
CHARACTERS = st.characters(min_codepoint=1, max_codepoint=0x7E) | st.sampled_from("é\u202e")
INTERFACES = (
    st.sampled_from((123, "eth%0", "é" * 8, "br\x01", "x" * 15, "x" * 16, ".", "..", "-", "a..b", ".a", "a."))
    | st.sampled_from(("all", "default", "lo", "a@b", "~"))
    | st.sampled_from('"*\\=[]?+-#;').map(lambda character: f"eth{character}")
    | st.text(CHARACTERS, min_size=1, max_size=16)
)
SERVICE_NAMES = (
    st.sampled_from(("a" * 116, "a" * 117, "a" * 128, "a" * 129, "é" * 64, 'a"b', "a\\b", "a'b", " a", "a;b{", "$(id)"))
    | st.text(CHARACTERS, min_size=1, max_size=12)
)  # fmt: skip
SOURCES = st.lists(
    st.sampled_from(
        ("192.0.2.0/24", "192.0.2.0/255.255.255.0", "192.0.2.0/25", "192.0.2.1", "192.0.2.1/24", "0.0.0.0/0", "::/0",
         "2001:db8::/32", "2001:DB8::/32", "::1.2.3.4", "::ffff:192.0.2.1", "127.0.0.0/8", "224.0.0.0/4", "::1")
    ),
    min_size=1,
    max_size=3,
)  # fmt: skip
MAPPINGS = (
    {"public": 80, "private": "8080", "protocol": "tcp"},
    {"public": "90-91", "private": "190-191", "protocol": "tcp"},
    {"public": "1-65534", "private": "2-65535", "protocol": "udp"},
    {"public": "90-91", "private": "90-92", "protocol": "tcp"},
    {"public": "2000-2999", "private": 90, "protocol": "udp"},
    {"protocol": 97},
    {"protocol": "ah"},
    {"protocol": "any", "public": 80},
)
PORTS = st.lists(
    st.sampled_from(
        ("80/tcp", "1-65535/udp", "0/tcp", "65535/tcp", "65536/tcp", "6000-5000/tcp", "80-80/tcp", "any", "gre", "icmp")
    )
    | st.sampled_from(MAPPINGS),
    min_size=1,
    max_size=3,
)


@st.composite
def declared(draw: st.DrawFn) -> declarations.Declaration:
    """A declaration of any shape, with values at the edges in some places."""
    declaration = copy.deepcopy(draw(st.sampled_from(list(declarations.ALL.values()))))
    sometimes = st.sampled_from((True, False, False))
    for line in declaration["lines"]:
        if draw(sometimes):
            _rename(declaration, line, draw(LINE_NAMES))
        if draw(sometimes):
            line["interface"] = draw(INTERFACES)
        if draw(sometimes):
            line["id"] = str(line["id"])
            line["weight"] = draw(st.sampled_from((1, "256", 0, 257)))
    for server in declaration["servers"]:
        if "interface" in server and draw(sometimes):
            server["interface"] = draw(INTERFACES)
    for service in declaration["services"]:
        for key, values in (("name", SERVICE_NAMES), ("sources", SOURCES), ("ports", PORTS)):
            if draw(sometimes):
                service[key] = draw(values)
                service.pop("verify_ports", None)
    return declaration


def _rename(declaration: declarations.Declaration, line: dict[str, Any], name: str) -> None:
    old, line["name"] = line["name"], name
    for server in declaration["servers"]:
        if old in server.get("addresses", {}):
            server["addresses"] = {name if key == old else key: v for key, v in server["addresses"].items()}
    for service in declaration["services"]:
        if "lines" in service:
            service["lines"] = [name if each == old else each for each in service["lines"]]


def no_gateways(_wanted: object) -> Resolution:
    """No gateway answers."""
    return Resolution({}, {})


def plan_routing(tables: Any, rules: Any) -> None:
    """Plan on a host that has nothing but the interfaces."""
    engine = RoutingEngine(tables, rules)
    interfaces = [hop for entry in engine.routes or () for hop in (entry.object.interface,) if hop]
    snapshot = Snapshot({name: index for index, name in enumerate(interfaces, 1)}, {"route": [], "rule": []})
    engine.plan(snapshot)


def plan_marks(**lists: Any) -> None:
    """Plan the marks on both backends."""
    for backend in (NftablesMarks("multihome"), IptablesMarks("multihome")):
        engine = MarkEngine(Selection(backend.name, "", backend), find=no_gateways, purge=True, **lists)
        engine.plan(Current(FilterState(State(Marks())), Resolution({}, {})))


def check_nat(rules: Any) -> None:
    """Give the translations to the engine on both backends."""
    for backend in (NftablesBackend(Nftables("multihome")), IptablesBackend("multihome")):
        NatEngine(rules, selection=Selection(backend.name, "", backend))


def check_forwarding(accept: Any) -> None:
    """Read the list of forward_policy; nftables refuses nothing more, iptables some interfaces."""
    forwarding = Forwarding.of("drop", [entry.object for entry in parse_accept(accept)])
    faults = [fault for family in (4, 6) for fault in IptablesForward("multihome", family).faults(forwarding)]
    if faults:
        raise MultihomeError("\n".join(faults))


def preflight_options(role: str, lists: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    """The options of preflight, as the roles give them."""
    spec: dict[str, Any] = dict(PREFLIGHT)
    given = {name: lists[name] for name in ("tables", "rules", "kernel_parameters")}
    servers = [entry["to_address"] for name in ("forwards", "hairpins") for entry in variables.get(name, ())]
    defaults = {name: option.get("default") for name, option in spec.items()}
    return {**defaults, **given, "role": role, "servers": servers, "lines": variables["lines"]}


def checks(lists: dict[str, Any], variables: dict[str, Any]) -> Iterator[Callable[[], object]]:
    """What the modules of a host do with their lists before they look at the host."""
    yield lambda: AliasEngine(lists["aliases"] if "aliases" in lists else lists["addresses"])
    yield lambda: plan_routing(lists["tables"], lists["rules"])
    marks = lists["marks"]
    yield lambda: plan_marks(**(marks if isinstance(marks, dict) else {"marks": marks}))
    yield lambda: KernelParameterEngine(lists["kernel_parameters"], DEFAULT_FILE)
    if "nat_rules" in lists:
        yield lambda: check_nat(lists["nat_rules"])
        yield lambda: check_forwarding(lists["accept"])
    role = "firewall" if "nat_rules" in lists else "server"
    yield lambda: parse_desired(preflight_options(role, lists, variables))


def refusals(declaration: declarations.Declaration) -> list[str]:
    """What the modules refuse of an accepted declaration."""
    outcome = everything(declaration)
    found = []
    steps: list[Callable[[], object]] = [lambda: parse_targets(outcome.pop("targets"))]
    for host, parts in outcome.items():
        if host != "targets":
            steps += checks(parts["lists"], parts["variables"])
    for step in steps:
        try:
            step()
        except MultihomeError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("name", declarations.ALL)
def test_the_shapes_are_accepted(name: str) -> None:
    assert refusals(copy.deepcopy(declarations.ALL[name])) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(declared().filter(lambda declaration: not FILTERS["declaration_faults"](declaration)))
def test_the_modules_accept_what_the_controller_accepts(declaration: declarations.Declaration) -> None:
    assert refusals(declaration) == []


@pytest.mark.parametrize("interface", ['a"b', "a*", "a+", "a=", "é", "x" * 16])
def test_control_the_modules_refuse_an_interface_that_the_controller_refuses(
    interface: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declaration = declarations.shape_b([1, 2])
    declaration["lines"][0]["interface"] = interface
    assert FILTERS["declaration_faults"](declaration)
    # With a controller that takes any interface, the difference is noticed.
    for fields in (declared_lists.LINE_FIELDS, firewall_lines.LINE_FIELDS):
        monkeypatch.setitem(fields, "interface", Field(lambda value, _place: str(value), required=True))
    assert FILTERS["declaration_faults"](declaration) == []
    assert refusals(declaration)
