# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a host: whether it is ready for its lines, and which modules have anything to do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Unsupported
from ..learned.host_addresses import HostAddresses
from ..preflight.run import Report, run
from ..references import bound, references
from .kinds import KINDS
from .plan import Forecast, OneLook, forecast, one_look, parse_plan


def look(options: Mapping[str, Any]) -> tuple[Report, list[Forecast]]:
    """Return the report of preflight, and the forecast of each module in ``plan``; raises InvalidInput.

    The lists of preflight that are parts of the plan need not be given again. Where ``plan_by_mark`` is given and
    replies have to be routed by mark, its kinds take the place of those in ``plan``.
    """
    if options["plan"]:
        _refuse_without_root()
    plan = parse_plan(options["plan"])
    by_mark = parse_plan(options["plan_by_mark"])
    with one_look() as executor:
        report = run(_with_addresses({**options, **_lists(plan)}, executor), executor)
        if report.failed:
            return report, []
        chosen = {**plan, **by_mark} if report.reply_by_mark_needed else plan
        return report, forecast({name: chosen[name] for name in KINDS if name in chosen}, executor)


def _refuse_without_root() -> None:
    """Refuse to go on as an ordinary user: the first module that writes would fail, after half of the role."""
    user = os.geteuid()
    if user:
        remedy = "connect as root, or set ansible_become: true for this host"
        raise Unsupported("preflight", "the rights of root", f"those of user {user}", remedy)


def _with_addresses(options: Mapping[str, Any], executor: OneLook) -> Mapping[str, Any]:
    """Return the options of preflight with the addresses of this host in place of references to them."""
    given = {name: value for name, value in options.items() if name not in ("plan", "plan_by_mark")}
    if not references(given):
        return options
    learned = HostAddresses(options["protocol"], executor).now()
    return {**options, **bound(given, learned), "replies": bound(options["replies"], learned)}


def answer(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of preflight for its options; ``failed`` and ``msg`` say whether it fails, and why."""
    report, plan = look(options)
    if report.failed:
        return {**report.as_result(), "failed": True, "msg": report.message, "warnings": []}
    return {
        **report.as_result(),
        "warnings": report.warnings,
        "pending": [forecast.module for forecast in plan if forecast.pending],
        "settled": _settled(options, report, plan),
        "plan": [forecast.as_result() for forecast in plan],
    }


def _settled(options: Mapping[str, Any], report: Report, plan: Sequence[Forecast]) -> bool:
    """Tell whether nothing at all is left to do: no module, no package, no setting of systemd-networkd."""
    if not options["plan"] or any(forecast.pending for forecast in plan):
        return False
    ready = all(state["ok"] for state in report.requirements.values())
    return ready and not any(finding.will_mend for finding in report.findings)


def _lists(plan: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the options of preflight that the plan contains."""
    routing, parameters = plan.get("policy_routing"), plan.get("kernel_parameters")
    found: dict[str, Any] = {}
    if routing:
        found = {name: routing[name] or [] for name in ("tables", "rules", "interface_groups")}
        found["purge"] = routing["purge"]
    if parameters:
        found["kernel_parameters"] = parameters["parameters"]
        found["file"] = parameters["file"]
    translations = plan.get("nat_rules")
    if translations:
        found["nat_rules"], found["nat_backend"] = translations["rules"], translations["backend"]
    return found
