# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All or nothing, once for every engine: a plan that fails half-way is rolled back, and the error reports the result.

An engine only reports how far it got. Its ``apply`` raises StepFailed once anything was changed, and any other
MultihomeError, such as ApplyFailed, as long as nothing was. Its ``restore`` compares the host with the state before, so
it can be called after any part of a plan.
"""

from __future__ import annotations

from .engine import PlanT_contra, Restorable, StateT_contra
from .errors import ApplyFailed, MultihomeError, StepFailed


def apply_or_restore(
    engine: Restorable[StateT_contra, PlanT_contra], plan: PlanT_contra, current: StateT_contra
) -> None:
    """Carry the plan out, or restore ``current``; raises ApplyFailed after a failed step."""
    try:
        engine.apply(plan, current)
    except StepFailed as failure:
        not_restored = restored(engine, plan, current)
        done = [step for step in failure.done if not any(line.startswith(f"{step}: ") for line in not_restored)]
        raise ApplyFailed(failure.failed, failure.reason, done, not_restored) from failure
    except MultihomeError:
        # Nothing was changed.
        raise
    except BaseException:
        # An interrupt, or a bug: that must not leave a half-done plan either.
        restored(engine, plan, current)
        raise


def restored(engine: Restorable[StateT_contra, PlanT_contra], plan: PlanT_contra, current: StateT_contra) -> list[str]:
    """Restore ``current`` as far as possible; return what could not be restored, one line each."""
    try:
        return engine.restore(plan, current)
    except MultihomeError as error:
        return str(error).splitlines()
