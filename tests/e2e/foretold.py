# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run in check mode shows, beside what the real run then does, by host and module."""

from __future__ import annotations

from typing import Any

from .playbooks import Run

Steps = dict[tuple[str, str], dict[str, Any]]
MODULES = {
    "Accept connections to mapped ports and from inside": "forward_policy",
    "Translate addresses": "nat_rules",
    "Set kernel parameters for the lines": "kernel_parameters",
    "Configure the public addresses": "ip_aliases",
    "Configure an address for each line": "ip_aliases",
    "Add routes for marked connections": "policy_routing",
    "Route to the Internet by the lines' gateways": "policy_routing",
    "Route each packet by its line": "policy_routing",
    "Mark each connection with its line": "connection_marks",
    "Have the keeper watch the lines": "line_health",
    "Restore the configuration after reboots and whenever it is removed": "keeper",
}


def steps(run: Run) -> Steps:
    """All actions of each module on each host, with its lists before the first and after the last."""
    found: Steps = {}
    for result in run.results:
        module = MODULES.get(result.task.split(" : ")[-1])
        if module is None or not result.values.get("actions"):
            continue
        step = found.setdefault((result.host, module), {"actions": [], "before": result.values.get("before")})
        step["actions"] += result.values["actions"]
        step["after"] = result.values.get("after")
    return found


def differences(foretold: Run, done: Run) -> list[str]:
    """The steps that check mode showed otherwise than they were done."""
    one, other = steps(foretold), steps(done)
    return [
        f"{host}: {module}: {one.get((host, module))} was shown, {other.get((host, module))} done"
        for host, module in {**one, **other}
        if one.get((host, module)) != other.get((host, module))
    ]
