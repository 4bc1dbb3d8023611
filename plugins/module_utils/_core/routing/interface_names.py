# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of interfaces as entries may give them: the own one, or an alternative one, which may be longer."""

from __future__ import annotations

import re
from typing import Any

from .. import fields

OWN_NAME = 15  # bytes, IFNAMSIZ without the closing zero, linux/if.h
_ALTERNATIVE_NAME = 127  # ALTIFNAMSIZ, linux/if.h


def interface_name(value: Any) -> str:
    """Return the name of an interface, own or alternative; whether there is one is known only on the host."""
    if isinstance(value, str) and OWN_NAME < len(value.encode()) <= _ALTERNATIVE_NAME:
        name = fields.text(value)
        if re.search(r"[/:\s]", name):
            raise ValueError("not an interface name")
        return name
    return str(fields.interface(value))


def is_too_long(name: str | None) -> bool:
    """Tell whether a name can only be an alternative one."""
    return name is not None and len(name.encode()) > OWN_NAME
