# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The steps that a host needs before its lines: packages, systemd-networkd, kernel parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from ...module_utils._core.fields import boolean

# The finding of preflight about a systemd-networkd that removes routes and rules which are not its own.
NETWORKD_FINDING = "networkd-removes-foreign"
# The modules that need a packet filter.
_WITH_FILTERS = ("forward_policy", "nat_rules", "connection_marks")


class Preparation(TypedDict):
    """``missing`` has names of packages; ``needed`` says whether anything has to be done before the lines.

    ``pending`` has the modules that have to run for the lines, in order.
    """

    missing: list[str]
    read_requirements: bool
    networkd: bool
    kernel_parameters: bool
    needed: bool
    pending: list[str]


def preparation(
    preflight: Mapping[str, object],
    packages: Mapping[str, str],
    install_packages: bool = True,
    run_preflight: bool = True,
    manage_networkd: bool = True,
    manage_sysctl: bool = True,
    requirements: Mapping[str, object] | None = None,
    networkd: Mapping[str, object] | None = None,
    not_needed: Iterable[str] = (),
    modules: Iterable[str] = (),
) -> Preparation:
    """The steps that are left, from the results of preflight, multihome_info and networkd_settings so far.

    ``modules`` are those that the role runs for the lines; without them, those of preflight's plan. Where preflight did
    not run, all of them are pending, and multihome_info has to be asked for requirements. The variables of the role may
    be texts, as the command line gives them.
    """
    install_packages, run_preflight, manage_networkd, manage_sysctl = (
        boolean(given) for given in (install_packages, run_preflight, manage_networkd, manage_sysctl)
    )
    planned = list(modules) or _planned(preflight.get("plan"))
    if planned and not any(name in planned for name in _WITH_FILTERS):
        not_needed = {*not_needed, "nft"}
    unknown = install_packages and not run_preflight
    report = preflight.get("requirements") or (requirements or {}).get("requirements")
    missing = _missing(report, packages, set(not_needed)) if install_packages else []
    unfriendly = manage_networkd and NETWORKD_FINDING in _finding_ids(preflight.get("findings"))
    # What preflight saw before systemd-networkd was restarted does not count.
    restarted = bool((networkd or {}).get("changed"))
    pending = bool(preflight.get("kernel_parameters_pending", True)) or restarted
    return {
        "missing": missing,
        "read_requirements": unknown,
        "networkd": unfriendly,
        "kernel_parameters": manage_sysctl and pending,
        "needed": bool(missing) or unknown or unfriendly,
        "pending": _pending(None if restarted else preflight.get("pending"), planned),
    }


def _planned(plan: object) -> list[str]:
    """The modules of preflight's plan, in their order."""
    return [str(one["module"]) for one in plan if isinstance(one, Mapping)] if isinstance(plan, Sequence) else []


def _pending(found: object, modules: list[str]) -> list[str]:
    """The modules that preflight found to be pending; all of them where that is not known."""
    return [name for name in modules if name in found] if isinstance(found, Sequence) else modules


def _missing(report: object, packages: Mapping[str, str], not_needed: set[str]) -> list[str]:
    """The packages of the requirements that a host does not meet.

    ``packages`` take precedence over the names that the host itself gives.
    """
    states = report.items() if isinstance(report, Mapping) else ()
    named = {name: packages.get(name) or state.get("package") for name, state in states if not state.get("ok")}
    return [package for name, package in named.items() if package and name not in not_needed]


def _finding_ids(findings: object) -> set[object]:
    return {finding.get("id") for finding in findings} if isinstance(findings, Sequence) else set()
