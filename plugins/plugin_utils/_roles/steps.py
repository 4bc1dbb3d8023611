# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The modules that change a host for a role, in order, each with its options: from the plan, and from what is pending.

Each step has a reason for its place, which a comment gives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypedDict

from ...module_utils._core.host_plan.sequence import Step

Plan = Mapping[str, Mapping[str, Any]]


class How(TypedDict):
    """How a role runs its modules.

    ``protect`` installs the program that restores the earlier state first. ``warn`` names the lines that are not
    available, where preflight did not. ``balancing`` says that new connections are spread over the lines: their
    addresses are removed at the end. ``backend`` is that of marks that are removed.
    """

    check_mode: bool
    protect: bool
    warn: bool
    balancing: bool
    backend: str


def steps(plan: Plan, role: str, pending: Collection[str], how: How) -> list[Step]:
    """The steps of a role. ``plan`` has the options of all its modules, ``pending`` those that have anything to do."""
    making = _Steps(plan, pending, how)
    if pending:
        making.protect()
        (_firewall if role == "isp_firewall" else _server)(making)
    return making.steps


def _firewall(steps: _Steps) -> None:
    # Before translations, so that newly mapped ports can be used at once.
    steps.add("Accept connections to mapped ports and from inside", "forward_policy")
    steps.add("Translate addresses", "nat_rules")
    # After the translations, so that nothing is forwarded untranslated; before the addresses, which an interface
    # without IPv6 does not accept, and before routes that a strict reverse path filter does not know.
    steps.add("Set kernel parameters for the lines", "kernel_parameters")
    # The routes by the same interface wait as well, and warn.
    steps.add("Configure the public addresses", "ip_aliases", warn_skipped=False)
    steps.add_marks()
    steps.add_routes("Route to the Internet by the lines' gateways")
    steps.remove_marks()
    steps.add_keeper()


def _server(steps: _Steps) -> None:
    # Before addresses, which an interface without IPv6 does not accept, and before routes that a strict reverse path
    # filter does not know.
    steps.add("Set kernel parameters for the lines", "kernel_parameters")
    purge = bool(steps.plan.get("ip_aliases", {}).get("purge"))
    check_mode = steps.how["check_mode"]
    balancing = steps.how["balancing"] and not check_mode
    addresses = "Configure an address for each line"
    steps.add(
        addresses,
        "ip_aliases",
        # Addresses that connections were given are removed at the end.
        purge=purge and not balancing,
        # Routes by the interface that an address leaves are used until they are replaced.
        keep_moved=not check_mode,
        warn_skipped=False,
    )
    steps.add_marks()
    steps.add_routes("Route each packet by its line")
    if purge:
        steps.add(
            "Remove addresses that connections no longer use",
            "ip_aliases",
            after=None if balancing else {"step": addresses, "did": "moved"},
            warn_skipped=False,
        )
    steps.remove_marks()
    steps.add_keeper()


class _Steps:
    def __init__(self, plan: Plan, pending: Collection[str], how: How) -> None:
        self.plan, self.how, self._pending, self._routing = plan, how, pending, ""
        self.steps: list[Step] = []

    def protect(self) -> None:
        """Install the program that restores the earlier state: a tool, and no part of the configuration that counts."""
        if self.how["protect"]:
            step = {"name": "Install the program that restores the earlier state", "module": "commit_confirm"}
            self.steps.append({**step, "options": {"state": "present"}, "counts": False})

    def add(self, name: str, module: str, after: Mapping[str, str] | None = None, **options: Any) -> None:
        """Add a step, where its module is pending. ``options`` precede those of the plan."""
        if module in self._pending:
            self._append(name, module, {**self.plan[module], **options}, after)

    def _append(self, name: str, module: str, options: Mapping[str, Any], after: Mapping[str, str] | None) -> None:
        step = {"name": name, "module": module, "options": dict(options)}
        self.steps.append({**step, "after": dict(after)} if after else step)

    def add_marks(self) -> None:
        """Mark connections, which need the routes of their line at once.

        The routes and addresses of a removed line are needed until no packet has its mark any more, so they are removed
        later.
        """
        # Check mode would show these routes twice.
        if "connection_marks" in self._pending and not self.how["check_mode"]:
            self.add("Add routes for marked connections", "policy_routing", purge=False, warn_skipped=False)
        self.add("Mark each connection with its line", "connection_marks")

    def add_routes(self, name: str) -> None:
        """Add the routes and rules of all lines, and remove those of others."""
        self.add(name, "policy_routing", warn_skipped=self.how["warn"])
        self._routing = name

    def remove_marks(self) -> None:
        """Remove marks, where the role uses none, and the last rule by mark was removed."""
        if "connection_marks" in self.plan or "policy_routing" not in self._pending:
            return
        options = {"marks": [], "balance": [], "backend": self.how["backend"], "purge": True}
        options["persist"] = self.plan["policy_routing"]["persist"]
        after = {"step": self._routing, "did": "removed_mark_rules"}
        self._append("Remove marks that no rule uses any more", "connection_marks", options, after)

    def add_keeper(self) -> None:
        """Watch the lines, after the routes, which probes need; then the keeper, whose privileges depend on it."""
        self.add("Have the keeper watch the lines", "line_health")
        self.add("Restore the configuration after reboots and whenever it is removed", "keeper")
