# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode against real runs, on the kernel of this network namespace: print the first case in which they differ.

Run in a throw-away namespace by test_differential.py: `python differential.py ip_aliases|policy_routing CASES [BREAK]`.
Each case is a host as others and we may have left it, a list, and whether to purge. Check mode's actions and `after`
have to be the real run's; a second run has nothing to do; what others own is as it was. With a BREAK, the planner is
one with that fault, and a difference has to show. Prints `{"cases": …, "outcomes": {…}, "difference": null or text}`.
"""

from __future__ import annotations

import collections
import contextlib
import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from ansible_collections.multihome.linux.plugins.module_utils._core.converge import converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    ForeignObject,
    InvalidInput,
    MultihomeError,
    ReadFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import (
    Message,
    Netlink,
    RequestFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Plan, plan
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import (
    alias_engine,
    engine,
    rtnetlink_encoding,
    rtnetlink_mapping,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.model import Alias, Route, Rule
from ansible_collections.multihome.linux.tests.integration.routing.compare_with_fake import settle, state
from ansible_collections.multihome.linux.tests.unit.routing.fake_kernel import INTERFACES
from ansible_collections.multihome.linux.tests.unit.routing.values import (
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

Entries = list[dict[str, Any]]
Make = Callable[[], Any]


def alias_entry(draw: random.Random) -> dict[str, Any]:
    """Return an entry of ip_aliases, one of few."""
    interface = draw.choice(list(ADDRESSES))
    address = draw.choice(ADDRESSES[interface])
    label = draw.choice((None, f"{interface}:1", interface)) if ":" not in address else None
    return {"address": address, "interface": interface, **({"label": label} if label else {})}


def route_entry(draw: random.Random) -> dict[str, Any]:
    """Return a route, one of few."""
    family = draw.randrange(2)
    entry = {"destination": draw.choice(DESTINATIONS[family]), **draw.choice(WAYS[family])}
    return {**entry, "metric": 5} if draw.random() < 0.3 else entry


def rule_entry(draw: random.Random) -> dict[str, Any]:
    """Return a policy rule, one of few."""
    chosen = {name: draw.choice(values) for name, values in SELECTORS.items() if draw.random() < 0.25}
    target = draw.choice(TARGETS)
    # A route's gateway is looked up by the rules: what takes everything stands behind the kernel's own.
    narrow = bool(chosen or "ip_protocol" in target) and "invert" not in chosen
    priority = draw.choice((100, 101, 40000) if narrow else (40000, 40001))
    return {"priority": priority, "family": "ipv4", **chosen, **target}


def table_entries(draw: random.Random) -> Entries:
    """Return tables with routes and names."""
    routes: dict[int, Entries] = {}
    for _number in range(draw.randrange(5)):
        routes.setdefault(draw.choice((254, 1001, 1002)), []).append(route_entry(draw))
    names = {254: ("main",), 1001: ("unicom", "line1", None), 1002: ("interlink", "unicom", None)}
    entries: Entries = []
    for number, held in routes.items():
        name = draw.choice(names[number])
        entries.append({"id": number, "routes": held, **({"name": name} if name else {})})
    return entries


def several(draw: random.Random, entry: Callable[[random.Random], dict[str, Any]], most: int = 4) -> Entries:
    """Return up to ``most`` entries."""
    return [entry(draw) for _number in range(draw.randrange(most + 1))]


def attempt(real: Netlink, message: Message) -> None:
    """Add an object; the kernel may refuse what it takes for another one."""
    with contextlib.suppress(RequestFailed):
        real.send("add", message)


def clear(real: Netlink) -> None:
    """Take away every address, route and rule that a case has brought."""
    for kind in ("rule", "route", "address"):
        for message in real.dump(kind):
            if not _belongs_to_the_kernel(message):
                # What goes along with something else is gone already.
                with contextlib.suppress(RequestFailed):
                    real.send("remove", rtnetlink_encoding.lasting(message))


def _belongs_to_the_kernel(message: Message) -> bool:
    if message.kind == "rule":
        return message.get("FRA_PRIORITY", 0) in (0, 32766, 32767)
    if message.kind == "route":
        return message.header["proto"] == 2
    return str(message.get("IFA_ADDRESS")).startswith(("127.", "::1", "fe80:"))


def aliases_case(draw: random.Random, real: Netlink) -> Make:
    """Bring the host's addresses into a random state; return what makes an engine for a random list."""
    for entry in several(draw, alias_entry, 6):
        alias = Alias.parse(entry)
        attempt(real, rtnetlink_encoding.encode_alias(alias, INTERFACES[alias.interface], draw.choice(OWNERS)))
    listed, purge = several(draw, alias_entry), draw.random() < 0.5
    return lambda: AliasEngine(listed, OURS, purge)


def routing_case(draw: random.Random, real: Netlink) -> Make:
    """Bring the host's routes and rules into a random state; return what makes an engine for random lists."""
    for interface, address in BY_HAND:
        attempt(real, rtnetlink_encoding.encode_alias(Alias(interface, address), INTERFACES[interface], NOBODY))
    for entry in several(draw, route_entry, 6):
        table = draw.choice((254, 1001, 1002))
        attempt(real, rtnetlink_encoding.encode_route(Route.parse(entry, table), INTERFACES, draw.choice(OWNERS)))
    for entry in several(draw, rule_entry, 6):
        attempt(real, rtnetlink_encoding.encode_rule(Rule.parse(entry), draw.choice(OWNERS)))
    tables, rules, purge = table_entries(draw), several(draw, rule_entry), draw.random() < 0.5
    only = draw.choice(("both", "both", "both", "tables", "rules"))
    lists = (None if only == "rules" else tables, None if only == "tables" else rules)
    return lambda: RoutingEngine(*lists, OURS, purge)


CASES = {"ip_aliases": aliases_case, "policy_routing": routing_case}


def run(make: Make, check: bool) -> tuple[str, Any]:
    """Converge; return the outcome's name, and actions and ``after``, or the error's text."""
    try:
        engine = make()
        outcome = converge(engine, check, contextlib.nullcontext)
        return "changed" if outcome.changed else "unchanged", (outcome.actions(), engine.after(outcome.plan))
    except (InvalidInput, ForeignObject) as error:
        return type(error).__name__, str(error)
    except ReadFailed:  # a fault of this program; counted as an outcome, it would pass for agreement
        raise
    except MultihomeError as error:
        return type(error).__name__, (str(error), getattr(error, "undone", None))


def theirs(real: Netlink, kinds: Sequence[str]) -> list[str]:
    """Return what others own, without order."""
    return sorted(
        repr(rtnetlink_encoding.lasting(m))
        for kind in kinds
        for m in real.dump(kind)
        if rtnetlink_mapping.owner_of(m) != OURS
    )


def told(after: Any) -> Any:
    """Return a result without the interfaces of next hops: where none is listed, the kernel's choice is told later."""
    if isinstance(after, dict):
        return {name: told(value) for name, value in after.items() if not (name == "interface" and "gateway" in after)}
    return [told(value) for value in after] if isinstance(after, list) else after


def _shown(before: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    """Return what two states differ in."""
    pairs = [("before", before, after), ("after", after, before)]
    return "\n".join(
        f"only {name}: {x}" for name, one, other in pairs for k in one for x in one[k] if x not in other[k]
    )


def differs(real: Netlink, make: Make, kinds: Sequence[str]) -> tuple[str, list[str]]:
    """Run check, real, real; return the real run's outcome and what is wrong."""
    settle(real)
    before, foreign = state(real), theirs(real, kinds)
    name, foreseen = run(make, check=True)
    wrong = [] if state(real) == before else ["check mode changed the host"]
    done_name, done = run(make, check=False)
    settle(real)
    if done_name == ApplyFailed.__name__ and name == "changed" and re.search("unreachable|No route", done[0]):
        # Which gateways are on link no planner foresees, but the kernel; then all is as before.
        return done_name, wrong + (
            [] if state(real) == before else [f"not undone: {done}", _shown(before, state(real))]
        )
    if (name, foreseen) != (done_name, done):
        wrong.append(f"check mode: {name} {foreseen}\nreal: {done_name} {done}")
    if theirs(real, kinds) != foreign:
        wrong.append(f"foreign objects before: {foreign}\nafter: {theirs(real, kinds)}")
    if done_name in ("changed", "unchanged"):
        again_name, again = run(make, check=False)
        if (again_name, again[0], told(again[1])) != ("unchanged", [], told(done[1])):
            wrong.append(f"first run: {done}\nsecond run: {again_name} {again}")
    elif state(real) != before:
        wrong.append(f"{done_name}, but the host is another one\n{_shown(before, state(real))}")
    return done_name, wrong


def broken(fault: str) -> Callable[..., Plan[Any]]:
    """Return a planner with a fault."""
    calls = 0

    def wrong(desired: Any, current: Any, owner: int, purge: bool, withdrawn: Any = ()) -> Plan[Any]:
        nonlocal calls
        calls += 1
        right = plan(desired, current, owner, purge, withdrawn)
        if fault == "forgetful":  # each time it is asked, it purges or does not
            return right if calls % 2 else plan(desired, current, owner, not purge, withdrawn)
        if fault == "boastful":  # it says that what it removes will be there
            gone = tuple(action.object for action in right.actions if action.op == "remove")
            return Plan(right.actions, right.before, right.after + gone)
        existing = [item for item in current if item.owner != NOBODY]
        if fault == "restless":  # it does not see what stands and is nobody's
            return plan(desired, existing, owner, purge, withdrawn)
        raise ValueError(fault)

    return wrong


def main() -> None:
    """Judge all cases, or those before the first difference."""
    kind, count, *fault = sys.argv[1:]
    outcomes: collections.Counter[str] = collections.Counter()
    difference = None
    kinds = ("address", "rule") if kind == "ip_aliases" else ("address", "route", "rule")
    planner = broken(*fault) if fault else plan
    patches = [mock.patch.object(module, "plan", planner) for module in (alias_engine, engine)]
    with patches[0], patches[1], Netlink() as real:
        for seed in range(int(count)):
            clear(real)
            make = CASES[kind](random.Random(seed), real)
            outcome, wrong = differs(real, make, kinds)
            outcomes[outcome] += 1
            if wrong:
                difference = "\n".join([f"case {seed}", *wrong])
                break
    print(json.dumps({"cases": outcomes.total(), "outcomes": dict(outcomes), "difference": difference}))


if __name__ == "__main__":
    main()
