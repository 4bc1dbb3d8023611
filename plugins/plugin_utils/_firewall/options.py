# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The variables of role isp_firewall -> the options of preflight, with those of all modules in ``plan``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._roles.both_roles import both_roles_ran
from .._roles.switches import with_switches
from .._roles.texts import as_json, plain
from . import own_services, referring, server_lines


def options(lines: object, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The options of preflight; only ``faults`` where there are any.

    ``variables`` are the other ones of the role, without its name before theirs. Lists that may be long are JSON texts:
    Ansible handles one text in a fraction of the time that it takes for its parts.
    """
    given, unread = with_switches(variables, "isp_firewall")
    if unread:
        return {"faults": unread}
    declared: Any = plain(lines)
    beside = given["server_lines"]
    own = server_lines.flagged(declared) if beside else declared
    lists = {name: given[name] for name in ("forwards", "snat", "inside_networks", "hairpins", "networks")}
    numbers = {name: given[name] for name in ("table_base", "priority_base", "source_priority_base")}
    mask, group = given["mark_mask"], given["interface_group"]
    faults = referring.faults(own, **lists, **numbers, mark_mask=mask, interface_group=group)
    others = server_lines.ServerLines(beside, declared, lists["inside_networks"], numbers, mask, group)
    faults = both_roles_ran(given, server_lines.NAME) + (faults or others.faults())
    if faults:
        return {"faults": faults}
    # They tell whether a line whose addresses are auto forwards IPv6.
    clients = [prefix for entry in lists["networks"] for prefix in entry["networks"]]
    behind = [*lists["inside_networks"], *(entry["to_address"] for entry in lists["forwards"]), *clients]
    owner = {"purge": given["purge"], "persist": given["persist"]}
    waiting = {"skip_unavailable": True, "allow_disconnect": given["allow_disconnect"]}
    filters = {"backend": given["backend"], **owner}
    snat, inside, networks = lists["snat"], lists["inside_networks"], lists["networks"]
    several = len(own) > 1 or bool(others)
    here = own_services.addresses_here(declared, beside)
    # What the host itself answers is not forwarded.
    away = {name: own_services.elsewhere(here, lists[name]) for name in ("forwards", "hairpins")}
    plan: dict[str, Any] = {
        "forward_policy": {
            "policy": given["forward_policy"],
            "accept": as_json(referring.accept(own, **{**lists, **away})),
            "mss": as_json(referring.mss(own)),
            **filters,
        },
        "nat_rules": {
            "rules": as_json(referring.nat_rules(own, **lists)),
            "forget_flows": given["forget_flows"],
            **filters,
        },
    }
    if given["manage_sysctl"]:
        parameters = server_lines.merged_parameters(
            referring.kernel_parameters(own, behind), others.kernel_parameters()
        )
        plan["kernel_parameters"] = {"parameters": as_json(parameters), "purge": given["purge"]}
    plan["ip_aliases"] = {"aliases": as_json(referring.addresses(own) + others.aliases()), **waiting, **owner}
    if several:
        marks = referring.marks(own, mask, networks, inside, snat)
        plan["connection_marks"] = {
            **marks,
            "marks": as_json(marks["marks"]),
            "balance": as_json(marks["balance"]),
            "mask": mask,
            **filters,
        }
    groups = referring.interface_groups(own, inside, group) + others.interface_groups()
    rules = referring.rules(
        own, snat, **numbers, mark_mask=mask, interface_group=group, inside_networks=inside, networks=networks
    )
    if others:
        rules = server_lines.merged_rules(rules, others.rules(), int(numbers["priority_base"]), groups)
    plan["policy_routing"] = {
        "tables": as_json(referring.tables(own, numbers["table_base"], group, inside, networks) + others.tables()),
        "rules": as_json(rules),
        "interface_groups": as_json(groups),
        **waiting,
        **owner,
    }
    if given["persist"]:
        # An empty list, where no line says anything of its health, removes the file. A single line may be drained: the
        # servers behind it use those of other firewalls.
        watched = others.watched()
        known = {line["id"] for line in watched}
        watched += [line for line in given["other_lines"] if line["id"] not in known]
        plan["line_health"] = {"lines": as_json(referring.line_health(own, mask, watched)), "force": not several}
        plan["keeper"] = {"state": "present"}
    servers = dict.fromkeys(entry["to_address"] for entry in (*away["forwards"], *away["hairpins"]))
    return {
        "faults": [],
        "lines": declared,
        "servers": list(servers),
        "taken_ports": own_services.still_taken(
            here, referring.taken_ports(own, lists["forwards"], given["own_ports"])
        ),
        # Without networks of clients, nobody is declared who would have to be translated besides the servers.
        "translated_networks": [*inside, *(prefix for entry in networks for prefix in entry["networks"])]
        * bool(networks),
        "zones_on_lines_only": given["zones_on_lines_only"],
        "uses_marks": several,
        "replies": server_lines.merged_replies(
            referring.replies(own, away["forwards"], snat, inside, numbers["table_base"], mask), others.replies()
        ),
        "reply_taken": given["reply_taken"],
        "mark_mask": mask,
        "manages_networkd": given["manage_networkd"],
        "plan": plan,
    }
