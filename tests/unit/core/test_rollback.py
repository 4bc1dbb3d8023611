# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rollback: when an engine is asked to restore the host, and how the error reports it."""

from __future__ import annotations

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import (
    ApplyFailed,
    MultihomeError,
    ReadFailed,
    StepFailed,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.rollback import apply_or_restore
from ansible_collections.multihome.linux.plugins.module_utils._core.store.persistable import Persistable


class FakePlan:
    """A plan without steps."""

    actions = ()


PLAN = FakePlan()


class FakeEngine(Persistable[str, FakePlan]):
    """An engine whose apply raises ``failure``, and whose restore returns ``left`` or raises it."""

    def __init__(self, failure: BaseException | None, left: list[str] | MultihomeError | None = None) -> None:
        self.failure, self.left = failure, left if left is not None else []
        self.calls: list[str] = []

    def read(self) -> str:
        """Return a state."""
        return "state"

    def plan(self, _current: str) -> FakePlan:
        """Return the plan."""
        return PLAN

    def before(self, _plan: FakePlan) -> object:
        """Return nothing."""
        return []

    def after(self, _plan: FakePlan) -> object:
        """Return nothing."""
        return []

    def lines(self, _plan: FakePlan) -> dict[str, list[str]]:
        """Return nothing."""
        return {}

    def apply(self, plan: FakePlan, current: str) -> None:
        """Fail, if asked to."""
        assert (plan, current) == (PLAN, "state")
        self.calls.append("apply")
        if self.failure:
            raise self.failure

    def restore(self, plan: FakePlan, current: str) -> list[str]:
        """Restore nothing."""
        assert (plan, current) == (PLAN, "state")
        self.calls.append("restore")
        if isinstance(self.left, MultihomeError):
            raise self.left
        return self.left


def test_a_plan_that_succeeds_is_not_rolled_back() -> None:
    engine = FakeEngine(None)
    apply_or_restore(engine, PLAN, "state")
    assert engine.calls == ["apply"]


def test_a_failed_step_is_rolled_back_and_reported() -> None:
    engine = FakeEngine(StepFailed("cannot add b", "no memory", ["add a"]))
    with pytest.raises(ApplyFailed) as caught:
        apply_or_restore(engine, PLAN, "state")
    assert engine.calls == ["apply", "restore"]
    assert str(caught.value).splitlines() == [
        "cannot add b: no memory",
        "undone: add a",
        "the host is as it was before",
    ]
    assert caught.value.__cause__ is engine.failure


def test_a_step_that_could_not_be_restored_is_not_called_undone() -> None:
    engine = FakeEngine(StepFailed("set x", "refused", ["a = 1", "b = 2"]), ["b = 2: busy", "c: gone"])
    with pytest.raises(ApplyFailed) as caught:
        apply_or_restore(engine, PLAN, "state")
    assert caught.value.undone == ("a = 1",)
    assert caught.value.not_undone == ("b = 2: busy", "c: gone")


def test_a_restore_that_fails_is_reported_beside_the_failed_step() -> None:
    engine = FakeEngine(StepFailed("cannot add b", "no memory"), ReadFailed("cannot read"))
    with pytest.raises(ApplyFailed) as caught:
        apply_or_restore(engine, PLAN, "state")
    assert (caught.value.failed, caught.value.not_undone) == ("cannot add b", ("cannot read",))


@pytest.mark.parametrize("failure", [ApplyFailed("nft", "syntax error"), ReadFailed("cannot read")])
def test_an_error_before_any_change_needs_no_rollback(failure: MultihomeError) -> None:
    engine = FakeEngine(failure)
    with pytest.raises(type(failure)) as caught:
        apply_or_restore(engine, PLAN, "state")
    assert caught.value is failure
    assert len(engine.calls) == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SystemExit(1), ValueError("a bug")])
@pytest.mark.parametrize("left", [[], ReadFailed("cannot read")])
def test_an_interrupt_or_a_bug_is_rolled_back_and_goes_on(
    failure: BaseException, left: list[str] | MultihomeError
) -> None:
    engine = FakeEngine(failure, left)
    with pytest.raises(type(failure)) as caught:
        apply_or_restore(engine, PLAN, "state")
    assert caught.value is failure
    assert len(engine.calls) == 2


def test_the_repair_of_the_keeper_is_rolled_back_too() -> None:
    engine = FakeEngine(StepFailed("cannot add b", "no memory", ["add a"]))
    with pytest.raises(ApplyFailed, match="undone: add a\nthe host is as it was before"):
        engine.repair(PLAN, "state")
    assert engine.calls[-1] == "restore"
