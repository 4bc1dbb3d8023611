# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of those values that only policy rules have; as in fields.py, each raises ValueError with the reason."""

from __future__ import annotations

import re
from typing import Any

from .. import fields

RULE_ACTIONS = ("lookup", "unreachable", "blackhole", "prohibit")
# Linux takes 4294967295 for "no group", and for no user.
GROUP = fields.integer(0, 0xFFFFFFFE)
_UID = fields.integer(0, 0xFFFFFFFE)
# Routes of main up to these lengths are defaults in effect: 0.0.0.0/1 and 128.0.0.0/1, 2000::/3, 8000::/1.
LONGEST_DEFAULT = {4: 7, 6: 6}
SUPPRESSING = ("suppress_prefix_length", "suppress_interface_group")
NO_GOTO = (
    "goto is not supported: a jump also skips the rules of other programs, and its target may be removed; order the "
    "rules by priority instead"
)


def rule_action(value: Any) -> str:
    if value == "goto":
        raise ValueError(NO_GOTO)
    return str(fields.choice(*RULE_ACTIONS)(value))


def type_of_service(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch("0[xX][0-9a-fA-F]{1,2}|0|[1-9][0-9]{0,2}", text):
        raise ValueError("not a number as 16 or 0x10")
    if int(text, 0) > 255:
        raise ValueError("not within 0 to 255")
    return int(text, 0)


def user_ids(value: Any) -> tuple[int, int]:
    first, dash, last = str(value).partition("-")
    try:
        uids = (int(_UID(first)), int(_UID(last if dash else first)))
    except ValueError:
        raise ValueError("not a user ID or a range FIRST-LAST") from None
    if isinstance(value, bool) or uids[0] > uids[1]:
        raise ValueError("the range runs backwards" if uids[0] > uids[1] else "not a user ID or a range FIRST-LAST")
    return uids
