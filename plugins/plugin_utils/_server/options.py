# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The variables of role multihomed_web -> the options of preflight, with those of all modules in ``plan``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._roles.both_roles import both_roles_ran
from .._roles.switches import with_switches
from .._roles.texts import as_json, plain
from . import auto_lines, checks, referring, replies, routing


def options(
    lines: object, variables: Mapping[str, Any], host: object = None, by_mark_needed: bool = False
) -> dict[str, Any]:
    """The options of preflight; only ``faults`` where there are any.

    ``variables`` are the other ones of the role, without its name before theirs. ``host`` is what multihome_info
    returned, where lines take their addresses from the host. ``by_mark_needed`` is as preflight returns it. Lists that
    may be long are JSON texts: Ansible handles one text in a fraction of the time that it takes for its parts.
    """
    given, unread = with_switches(variables, "multihomed_web")
    if unread:
        return {"faults": unread}
    found: Any = plain(host) if isinstance(host, Mapping) else {}
    every: Any = plain(lines)
    learned = auto_lines.auto_lines(every, found.get("interfaces"))
    own: Any = learned["lines"]
    reply = routing.reply_way(own, given["reply"], by_mark_needed)
    # No prefix of a line may contain the addresses of the server that belong to no line.
    spread = given["balance_from"]
    others = [*found.get("foreign_addresses", ()), *(spread if isinstance(spread, list) else ())]
    table_base, priority, source_priority = (
        given[name] for name in ("table_base", "priority_base", "source_priority_base")
    )
    way, mask, group, inside = (
        given[name] for name in ("default_route", "mark_mask", "interface_group", "inside_networks")
    )
    faults = checks.faults(own, table_base, priority, source_priority, reply, way, spread, mask, others, group, inside)
    faults = both_roles_ran(given, "isp_firewall_server_lines") + faults
    if faults:
        return {"faults": faults}
    waiting = {"skip_unavailable": True, "allow_disconnect": given["allow_disconnect"]}
    owner = {"purge": given["purge"], "persist": given["persist"]}

    def marking(reply: object) -> dict[str, Any] | None:
        """The options of connection_marks, where packets or connections are marked."""
        marks = referring.marks(every, reply, way, spread, mask, others)
        if not (reply == "mark" or way == "balance" or marks["marks"]):
            return None
        return {**marks, "mask": mask, "backend": given["backend"], **owner}

    routes: dict[str, Any] = {
        "tables": as_json(referring.tables(every, way, table_base, spread, group, inside)),
        "interface_groups": as_json(referring.interface_groups(every, group, inside)),
        **waiting,
        **owner,
    }

    def routed(reply: object) -> dict[str, Any]:
        """The options of policy_routing."""
        return {
            **routes,
            "rules": as_json(
                referring.rules(every, table_base, priority, source_priority, reply, way, mask, others, group, inside)
            ),
        }

    plan: dict[str, Any] = {}
    if given["manage_sysctl"]:
        parameters = as_json(referring.kernel_parameters(every))
        plan["kernel_parameters"] = {"parameters": parameters, "purge": given["purge"]}
    plan["ip_aliases"] = {"aliases": as_json(referring.aliases(every, way, spread)), **waiting, **owner}
    marks = marking(reply)
    if marks:
        plan["connection_marks"] = marks
    plan["policy_routing"] = routed(reply)
    if given["persist"]:
        # An empty list, where no line says anything of its health, removes the file.
        plan["line_health"] = {"lines": as_json(referring.line_health(every, reply, way, mask))}
        plan["keeper"] = {"state": "present"}
    auto = given["reply"] == "auto"
    return {
        "faults": [],
        "lines": [*own, *learned["waiting"]],
        "uses_marks": marks is not None,
        "replies": replies.replies(own, reply, table_base, mask, others, inside),
        "reply_taken": given["reply_taken"],
        "auto_reply": auto,
        "mark_mask": mask,
        "manages_networkd": given["manage_networkd"],
        "plan": plan,
        "plan_by_mark": {"connection_marks": marking("mark"), "policy_routing": routed("mark")} if auto else {},
    }
