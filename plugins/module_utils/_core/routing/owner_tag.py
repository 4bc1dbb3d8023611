# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner tag: the protocol number that marks addresses, routes and policy rules as ours."""

from __future__ import annotations

from .. import fields
from ..errors import InvalidInput

_OWNER = fields.integer(1, 255)


def parse_owner(protocol: object) -> int:
    """Return the owner tag; 1 to 4 belong to the kernel and to its own tools."""
    try:
        owner = int(_OWNER(protocol))
    except ValueError as error:
        raise InvalidInput([f"protocol {fields.shown(protocol)}: {error}"]) from None
    if owner <= 4:
        raise InvalidInput([f"protocol {owner}: {fields.owner_name(owner)} is taken; choose one from 5 to 255"])
    return owner
