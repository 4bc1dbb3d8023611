# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans, over random hosts: what is planned is what comes to stand, and nothing of anybody else is touched."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    ForeignObject,
    InvalidInput,
    MultihomeError,
    VerifyFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message
from ansible_collections.multihome.linux.plugins.module_utils._core.plan import Action, Plan
from ansible_collections.multihome.linux.plugins.module_utils._core.routing import (
    rtnetlink_encoding,
    rtnetlink_mapping,
    rule_identity,
    rule_sequence,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.alias_engine import AliasEngine
from ansible_collections.multihome.linux.plugins.module_utils._core.routing.engine import RoutingEngine
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from . import hosts
from .fake_kernel import FakeKernel
from .values import BIRD, OURS

MakeEngine = Callable[[FakeKernel, Any], Any]

# The settings directory is of the whole session, and each example leaves it as it was.
many = hypothesis_settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])


def run(engine: Any, check_mode: bool = False) -> Outcome[Any]:
    return converge(engine, check_mode, contextlib.nullcontext)


def attempt(engine: Any, check_mode: bool = False) -> Outcome[Any] | MultihomeError:
    try:
        return run(engine, check_mode)
    except MultihomeError as error:
        return error


def foreign(fake: FakeKernel) -> list[str]:
    """Everything that is not ours, as far as it does not follow from the addresses; promotion is no change."""

    def shown(messages: list[Message]) -> list[str]:
        return [
            repr(rtnetlink_encoding.lasting(m))
            for m in messages
            if rtnetlink_mapping.owner_of(m) != OURS and not _connected(m)
        ]

    return sorted(shown(fake.addresses)) + shown(fake.routes) + shown(fake.dump("rule"))


def _connected(message: Message) -> bool:
    return message.kind == "route" and rtnetlink_mapping.owner_of(message) == 2


def standing(fake: FakeKernel) -> list[Any]:
    snapshot = fake.snapshot()
    return [existing for kind in ("address", "route", "rule") for existing in snapshot.existing(kind)]


def planned_objects(plan: Any, side: str) -> list[Any]:
    parts = [plan] if hasattr(plan, side) else [part for part in (plan.routes, plan.rules) if part]
    return [item for part in parts for item in getattr(part, side)]


def check_everything(fake: FakeKernel, make: MakeEngine, listed: Any, shuffled: Any) -> str:
    """Check every property of one run, and return how it went."""
    before, theirs = fake.state(), foreign(fake)
    fake.read_only = True
    foreseen = attempt(make(fake, listed), check_mode=True)
    if isinstance(foreseen, ForeignObject):
        assert all("belongs to protocol" in line for line in foreseen.conflicts)
        assert fake.state() == before
        return "conflict"
    if isinstance(foreseen, InvalidInput):
        assert all("cannot tell it from" in line for line in foreseen.faults)
        assert fake.state() == before
        return "refused"
    assert isinstance(foreseen, Outcome)
    other_order = run(make(fake, shuffled), check_mode=True)
    fake.read_only = False
    assert planned_objects(other_order.plan, "after") == planned_objects(foreseen.plan, "after")
    assert as_set(other_order) == as_set(foreseen)

    for action in foreseen.plan.actions:
        assert action.existing is None or action.existing.owner == OURS
    operations = [action.op for action in foreseen.plan.actions]
    first_removal = operations.index("remove") if "remove" in operations else len(operations)
    assert set(operations[first_removal:]) <= {"remove"}, "adding comes before removing"
    kinds = [type(action.object).__name__ for action in foreseen.plan.actions]
    assert kinds[:first_removal] == sorted(kinds[:first_removal]), "routes come before rules"
    assert kinds[first_removal:] == sorted(kinds[first_removal:], reverse=True), "and go after them"

    done = attempt(make(fake, listed))
    assert isinstance(done, Outcome), done
    assert done.actions() == foreseen.actions()
    after = planned_objects(done.plan, "after")
    assert planned_objects(foreseen.plan, "after") == after
    now = standing(fake)
    for item in after:
        assert any(e.object.key == item.key and item.satisfied_by(e.object) for e in now), f"{item} does not stand"
    for existing in now:
        if existing.owner == OURS:
            assert any(item.key == existing.object.key for item in after), f"{existing} stands, but was not foreseen"
    assert foreign(fake) == theirs

    fake.read_only = True
    assert not run(make(fake, listed)).changed
    assert not run(make(fake, shuffled)).changed
    return "changed" if done.changed else "unchanged"


def as_set(outcome: Outcome[Any]) -> set[str]:
    return {json.dumps(action, sort_keys=True) for action in outcome.actions()}


@given(
    st.lists(st.tuples(hosts.owners, hosts.aliases), max_size=8),
    st.lists(hosts.aliases, max_size=6),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@many
def test_aliases(settings: Path, there: Any, entries: Any, purge: bool, random: Any) -> None:
    fake = hosts.alias_host(settings, there)
    listed = hosts.acceptable(lambda some: hosts.alias_engine(fake, some, purge), entries)
    shuffled = random.sample(listed, len(listed))
    event(check_everything(fake, lambda host, some: hosts.alias_engine(host, some, purge), listed, shuffled))


@given(
    st.lists(st.tuples(hosts.owners, hosts.tables, hosts.routes), max_size=8),
    st.lists(st.tuples(hosts.tables, hosts.routes), max_size=6),
    st.lists(st.tuples(hosts.owners, hosts.rules), max_size=8),
    st.lists(hosts.rules, max_size=6),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@many
def test_routing(
    settings: Path, there: Any, routes: Any, rules_there: Any, rules: Any, purge: bool, random: Any
) -> None:
    fake = hosts.routing_host(settings, there, rules_there)
    listed = hosts.acceptable(lambda some: hosts.routing_engine(fake, some, [], purge), routes)
    listed_rules = hosts.acceptable(lambda some: hosts.routing_engine(fake, [], some, purge), rules)
    shuffled = (random.sample(listed, len(listed)), random.sample(listed_rules, len(listed_rules)))
    make = partial(make_routing, purge=purge)
    event(check_everything(fake, make, (listed, listed_rules), shuffled))


def make_routing(fake: FakeKernel, both: Any, purge: bool) -> RoutingEngine:
    return hosts.routing_engine(fake, both[0], both[1], purge)


class TakesOver(AliasEngine):
    """Calls what belongs to another owner its own."""

    def plan(self, current: Any) -> Any:
        """Plan for the other owner."""
        self.owner = BIRD
        return super().plan(current)


class Meddles(AliasEngine):
    """Does what it is to do, and removes an address of another owner besides."""

    def apply(self, plan: Any, current: Any) -> None:
        """Apply, and meddle."""
        super().apply(plan, current)
        for existing in current.addresses():
            if existing.owner != OURS:
                self.executor.apply([Action("remove", existing.object, existing)], current, OURS)


class Forgets(AliasEngine):
    """Finds nothing to do."""

    def plan(self, current: Any) -> Any:
        """Plan nothing, and say that all is well."""
        plan = super().plan(current)
        return Plan((), plan.before, plan.after)


@pytest.mark.parametrize(("wrong", "wanted"), [(TakesOver, "eth0:2"), (Meddles, None), (Forgets, None)])
def test_a_wrong_engine_would_be_found_out(settings: Path, wrong: Any, wanted: str | None) -> None:
    theirs = {"address": "10.0.0.1/24", "interface": "eth0", "label": "eth0:1"}
    fake = hosts.alias_host(settings, [(BIRD, theirs)])
    listed = [{**theirs, "label": wanted} if wanted else {"address": "10.0.9.9", "interface": "eth0"}]
    with pytest.raises(AssertionError):
        check_everything(fake, lambda host, some: wrong(some, OURS, False, host.executor()), listed, listed)


@pytest.mark.parametrize(
    ("knows", "less"),
    [("views", lambda rule: {rule_identity.view(rule)}), ("matches_on_delete", lambda *_rules: False)],
)
def test_without_knowing_how_the_kernel_tells_rules_apart_a_run_would_fail(
    settings: Path, monkeypatch: pytest.MonkeyPatch, knows: str, less: Callable[..., Any]
) -> None:
    narrow = {"priority": 100, "source": "10.0.0.1", "table": 7}
    wide = {"priority": 100, "family": "ipv4", "table": 7}
    marked = {**wide, "mark": 1}
    if knows == "views":
        there, listed = [(OURS, narrow)], [wide]
    else:
        there, listed = [(OURS, marked), (OURS, wide)], [marked]
    make = partial(make_routing, purge=True)
    assert check_everything(hosts.routing_host(settings, [], there), make, ([], listed), ([], listed)) == "changed"
    for module in (rule_sequence, rule_identity):
        monkeypatch.setattr(module, knows, less)
    fake = hosts.routing_host(settings, [], there)
    assert isinstance(attempt(make(fake, ([], listed))), (ApplyFailed, VerifyFailed))
