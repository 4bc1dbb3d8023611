# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy rules of the fake kernel: Linux net/core/fib_rules.c, with its own ideas of what is the same rule."""

from __future__ import annotations

import errno
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Message, RequestFailed

_UNLIMITED = 0xFFFFFFFF
_INVERT = 0x02
_COMPARED = (
    "FRA_IIFNAME",
    "FRA_OIFNAME",
    "FRA_FWMARK",
    "FRA_FWMASK",
    "FRA_IP_PROTO",
    "FRA_SPORT_RANGE",
    "FRA_DPORT_RANGE",
    "FRA_PROTOCOL",
    "FRA_SUPPRESS_PREFIXLEN",
    "FRA_SUPPRESS_IFGROUP",
    "FRA_UID_RANGE",
)
# In the order in which the kernel tells them.
_TOLD = (
    "FRA_TABLE",
    "FRA_SUPPRESS_PREFIXLEN",
    "FRA_PROTOCOL",
    "FRA_IIFNAME",
    "FRA_OIFNAME",
    "FRA_PRIORITY",
    "FRA_FWMARK",
    "FRA_FWMASK",
    "FRA_SPORT_RANGE",
    "FRA_SPORT_MASK",
    "FRA_DPORT_RANGE",
    "FRA_DPORT_MASK",
    "FRA_IP_PROTO",
    "FRA_DST",
    "FRA_SRC",
)


class Rules:
    """The list of policy rules; it begins with the kernel's own."""

    def __init__(self) -> None:
        self.listed: list[Message] = []
        for family in (2, 10):
            for priority, table in ((0, 255), (32766, 254), *([(32767, 253)] if family == 2 else [])):
                attributes = {"FRA_PRIORITY": priority, "FRA_TABLE": table, "FRA_PROTOCOL": 2}
                self.change("add", Message("rule", _header(family), attributes))

    def change(self, operation: str, message: Message) -> None:
        """Add or remove a rule."""
        wanted = _stored(message)
        if operation == "add":
            if any(_exists(wanted, other) for other in self.listed):
                raise RequestFailed(errno.EEXIST)
            behind = [at for at, other in enumerate(self.listed) if _priority(other) > _priority(wanted)]
            self.listed.insert(min(behind, default=len(self.listed)), wanted)
            return
        # Asked without a priority, the kernel takes any.
        any_priority = "FRA_PRIORITY" not in message.attributes
        for at, other in enumerate(self.listed):
            if _found(wanted, other, any_priority):
                del self.listed[at]
                return
        raise RequestFailed(errno.ENOENT)


def _header(family: int) -> dict[str, int]:
    return {"family": family, "dst_len": 0, "src_len": 0, "tos": 0, "table": 0, "action": 1, "flags": 0}


def _stored(message: Message) -> Message:
    """Return a rule as the kernel lists it."""
    attributes = dict(message.attributes)
    attributes.setdefault("FRA_TABLE", message.header["table"])
    attributes.setdefault("FRA_SUPPRESS_PREFIXLEN", _UNLIMITED)
    attributes.setdefault("FRA_PROTOCOL", 0)
    for side in ("SPORT", "DPORT"):
        ports = attributes.get(f"FRA_{side}_RANGE")
        if ports and len(set(ports.split(":"))) == 1:
            attributes[f"FRA_{side}_MASK"] = 0xFFFF
    if attributes.get("FRA_FWMARK"):
        attributes.setdefault("FRA_FWMASK", _UNLIMITED)
    table = attributes["FRA_TABLE"]
    header = {**_header(message.header["family"]), **message.header, "table": table if table < 256 else 252}
    listed = {name: attributes[name] for name in _TOLD if name in attributes}
    listed.update({name: value for name, value in attributes.items() if name not in _TOLD})
    # Zero is not told.
    for name in ("FRA_PRIORITY", "FRA_FWMARK"):
        if not listed.get(name):
            listed.pop(name, None)
    return Message("rule", header, listed)


def _priority(message: Message) -> int:
    return int(message.get("FRA_PRIORITY", 0))


def _exists(new: Message, other: Message) -> bool:
    """rule_exists(): invert is not looked at, nor a source, destination or type of service that the new rule lacks."""
    same = all(new.get(name) == other.get(name) for name in (*_COMPARED, "FRA_PRIORITY", "FRA_TABLE"))
    return same and new.header["action"] == other.header["action"] and _prefixes_match(new, other)


def _found(asked: Message, other: Message, any_priority: bool) -> bool:
    """rule_find(): what the request does not name may be anything."""

    def match(name: str) -> bool:
        value: Any = asked.get(name)
        named = value not in (None, _UNLIMITED) if name.startswith("FRA_SUPPRESS_") else bool(value)
        return not named or bool(value == other.get(name))

    return (
        all(match(name) for name in (*_COMPARED, "FRA_TABLE"))
        and (any_priority or _priority(asked) == _priority(other))
        and asked.header["action"] == other.header["action"]
        and _prefixes_match(asked, other)
    )


def _prefixes_match(one: Message, other: Message) -> bool:
    if one.header["family"] != other.header["family"]:
        return False
    if one.header["tos"] not in (0, other.header["tos"]):
        return False
    sides = (("src_len", "FRA_SRC"), ("dst_len", "FRA_DST"))
    return all(
        not one.header[length] or (one.header[length] == other.header[length] and one.get(name) == other.get(name))
        for length, name in sides
    )
