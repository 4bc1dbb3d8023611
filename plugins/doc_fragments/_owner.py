# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This fragment is private to the collection. It may change in any release.
"""The options of ownership, for every module that tags kernel objects."""

from __future__ import annotations


class ModuleDocFragment:
    # Matches OWNER_OPTIONS of plugins/module_utils/_module.py.
    DOCUMENTATION = r"""
options:
  purge:
    description:
      - Whether to remove objects of this collection that the list does not contain.
      - With V(false), listed objects are ensured and all others stay.
      - Objects of other owners are never removed.
    type: bool
    default: false
  protocol:
    description:
      - The owner tag on the routes, policy rules and addresses of this collection.
      - C(ip route) and C(ip rule) show it as C(proto).
      - Only objects with this tag are replaced or removed.
      - Change it only where another program on the host uses the same number.
    type: int
    default: 109
"""
