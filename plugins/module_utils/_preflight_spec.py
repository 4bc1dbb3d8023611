# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This is a private module utility: use the modules, not this. It may change in any release.
"""The options of preflight, for the two modules that run it. It imports nothing, so that one of them stays small."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "str"}
_TEXTS = {"type": "list", "elements": "str"}
_LINE = {
    "id": {"type": "int", "required": True},
    "interface": {"type": "str", "required": True},
    "addresses": {**_TEXTS, "aliases": ["public_addresses"]},
    "outside_addresses": _TEXTS,
    "gateways": {**_TEXTS, "aliases": ["gateway"]},
    "weight": {"type": "int"},
    "name": _TEXT,
    "left_out": _TEXT,
    "without_gateway": _TEXTS,
    "learned": {"type": "bool"},
    "onlink": {"type": "bool"},
    "mss": {"type": "str"},
    "untranslated": _TEXTS,
    "ends_here": {"type": "bool"},
    "not_held": _TEXTS,
    "drained": {"type": "bool"},
    "flows": _TEXT,
    "health": {"type": "dict"},
}
_PARAMETER = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str", "required": True},
    "optional": {"type": "bool", "default": False},
}
_TAKEN_PORT = {
    "name": _TEXT,
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "server": {"type": "str", "required": True},
}
# The engine checks the entries of these lists and reports all of their faults at once.
_LINES = {"type": "list", "elements": "dict", "required": True}
_PARAMETERS = {"type": "list", "elements": "dict", "default": []}
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "lines": {**_LINES, "options": _LINE},
    "role": {"type": "str", "choices": ["firewall", "server"], "required": True},
    "servers": {**_TEXTS, "default": []},
    "taken_ports": {**_PARAMETERS, "options": _TAKEN_PORT},
    "zones_on_lines_only": {**_TEXTS, "default": []},
    "uses_marks": {"type": "bool", "default": True},
    # The engine checks their entries, as in policy_routing.
    "tables": {"type": "list", "elements": "dict", "default": []},
    "rules": {"type": "list", "elements": "dict", "default": []},
    "interface_groups": {"type": "list", "elements": "dict", "default": []},
    "replies": {"type": "dict", "default": {}},
    "reply_taken": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
    "skips_unavailable": {"type": "bool", "default": False},
    "auto_reply": {"type": "bool", "default": False},
    "nat_rules": {"type": "list", "elements": "dict", "default": []},
    "translated_networks": {**_TEXTS, "default": []},
    "nat_backend": {"type": "str", "choices": ["auto", "nftables", "iptables"], "default": "auto"},
    "mark_mask": {"type": "str", "default": "0xff"},
    "protocol": {"type": "int", "default": 109},
    "table": {"type": "str", "default": "multihome"},
    "file": {"type": "str", "default": "/etc/sysctl.d/60-multihome.conf"},
    "kernel_parameters": {**_PARAMETERS, "options": _PARAMETER},
    "purge": {"type": "bool", "default": False},
    "manages_networkd": {"type": "bool", "default": False},
    "manages_forwarding": {"type": "bool", "default": False},
    "plan": {"type": "dict", "default": {}},
    "plan_by_mark": {"type": "dict", "default": {}},
    "probe_timeout": {"type": "float", "default": 1.0},
    "host": {"type": "str", "default": ""},
    # The action plugin reads these two.
    "options": {"type": "dict", "default": {}},
    "faults": {**_TEXTS, "default": []},
    "fail_on": {"type": "str", "choices": ["never", "error", "warning"], "default": "error"},
}
# The engine checks the entries of these lists; each may be the JSON text of one.
JUDGED = ("lines", "tables", "rules", "interface_groups", "kernel_parameters", "nat_rules", "taken_ports")
