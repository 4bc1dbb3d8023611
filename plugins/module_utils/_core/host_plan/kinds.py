# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that a plan can contain, in the order in which the roles run them, each with its engine and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..entries import Options, json_list
from ..errors import InvalidInput
from ..fields import boolean, listed
from ..filters.nftables import DEFAULT_TABLE
from ..forwarding.engine import ForwardEngine
from ..health.gate import allowed_by_health, are_lines_stored
from ..host.kernel_parameters import DEFAULT_FILE, KernelParameterEngine
from ..keeper_installation.engine import KeeperEngine
from ..keeper_installation.host import own_code
from ..learned.gate import with_references
from ..marks.engine import SETTINGS, MarkEngine
from ..nat.engine import NatEngine
from ..plan import Plan
from ..routing.alias_engine import AliasEngine
from ..routing.engine import RoutingEngine

# Any engine: of a kind of state, of kernel parameters, or of the keeper.
AnyEngine = Any


@dataclass(frozen=True)
class Kind:
    """One module: what makes its engine, its lists, and its other options with their defaults.

    A list that is not given is empty where the module requires it, otherwise None. After changes of this kind, the
    kernel or the neighbours may have changed objects of the kinds in ``disturbs``.
    """

    make: Callable[[Options], AnyEngine]
    required: Sequence[str] = ()
    lists: Sequence[str] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    disturbs: Sequence[str] = ()

    def options(self, name: str, given: object) -> dict[str, Any]:
        """Return the options of the module from those given; raises InvalidInput with every fault."""
        if not isinstance(given, Mapping):
            raise InvalidInput([f"plan: {name}: not a dictionary of options"])
        known = {**dict.fromkeys(self.lists), **self.defaults}
        unknown = [str(option) for option in given if option not in known and option not in self.required]
        faults = [f"plan: {name}: unknown: {listed(unknown)}"] if unknown else []
        options: dict[str, Any] = {**known, **{option: given[option] for option in given if str(option) not in unknown}}
        for option in (*self.required, *self.lists):
            try:
                options[option] = json_list(options.get(option), option)
            except InvalidInput as error:
                faults += [f"plan: {name}: {fault}" for fault in error.faults]
        faults += [f"plan: {name}: {option} is missing" for option in self.required if options.get(option) is None]
        for option, default in self.defaults.items():
            if isinstance(default, bool):
                try:
                    options[option] = boolean(options[option])
                except ValueError as error:
                    faults.append(f"plan: {name}: {option}: {error}")
        if faults:
            raise InvalidInput(faults)
        return options


def _mark_engine(options: Options) -> AnyEngine:
    # Lists that are empty in the module where they are not given, as on a firewall.
    given = {**options, **{name: options[name] or [] for name in ("balance_from", "balance_exclude")}}

    def make(bound: Options) -> AnyEngine:
        return MarkEngine.from_options(bound, ask_allowed=allowed_by_health("connection_marks", bound))

    return with_references(make, given)


def _nat_engine(options: Options) -> AnyEngine:
    return with_references(NatEngine.from_options, options)


def _routing_engine(options: Options) -> AnyEngine:
    def make(bound: Options) -> AnyEngine:
        engine = RoutingEngine.from_options(bound, ask_allowed=allowed_by_health("policy_routing", bound))
        # The roles do not remove the last line, even where none is declared.
        engine.keeps_last_line = True
        return engine

    return with_references(make, options)


def _lines_engine(options: Options) -> AnyEngine:
    if not options["lines"] and not are_lines_stored():
        return NothingToDo()
    # Loaded only where it is needed: a module is compiled on the host in every run.
    from ..health.lines_engine import LinesEngine  # noqa: PLC0415 - as said

    return LinesEngine.from_options(options)


class NothingToDo:
    """An engine of lines on a host where none are stored, and none should be."""

    def read(self) -> None:
        """Read nothing."""

    def plan(self, _current: None) -> Plan[Any]:
        """Return a plan without steps."""
        return Plan((), (), ())


_OWNER = {"purge": False, "protocol": 109, "persist": False}
_FILTER = {"backend": "auto", "table": DEFAULT_TABLE, **_OWNER}

# In the order in which the roles run them. Kernel parameters may let the kernel drop addresses and routes. A removed
# address takes routes with it, and a new one makes gateways answer.
KINDS: dict[str, Kind] = {
    "forward_policy": Kind(
        ForwardEngine.from_options, ("accept",), ("mss",), {"mss": [], "policy": "leave", **_FILTER}
    ),
    "nat_rules": Kind(_nat_engine, ("rules",), defaults={"forget_flows": "none", **_FILTER}),
    "kernel_parameters": Kind(
        lambda options: KernelParameterEngine(**options),
        ("parameters",),
        defaults={"file": DEFAULT_FILE, "purge": False},
        disturbs=("ip_aliases", "connection_marks", "policy_routing"),
    ),
    "ip_aliases": Kind(
        AliasEngine.from_options,
        ("aliases",),
        defaults={"keep_moved": False, "skip_unavailable": False, "allow_disconnect": False, **_OWNER},
        disturbs=("connection_marks", "policy_routing"),
    ),
    "connection_marks": Kind(
        _mark_engine,
        lists=("marks", "balance", *SETTINGS),
        defaults={**{name: [] for name in SETTINGS}, "mask": "0xff", **_FILTER},
    ),
    "policy_routing": Kind(
        _routing_engine,
        lists=("tables", "rules", "interface_groups"),
        defaults={"skip_unavailable": False, "allow_disconnect": False, **_OWNER},
    ),
    # The keeper may send packets only where lines are watched.
    "line_health": Kind(_lines_engine, ("lines",), defaults={"force": False}, disturbs=("keeper",)),
    "keeper": Kind(lambda options: KeeperEngine(options["state"], own_code()), defaults={"state": "present"}),
}
