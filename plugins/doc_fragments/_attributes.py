# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This fragment is private to the collection. It may change in any release.
"""Documentation that the modules share: check and diff mode, platform, action group, requirements."""

from __future__ import annotations


class ModuleDocFragment:
    # The meaning of each attribute. Combine it with FULL or READ_ONLY, which say how far a module supports them.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether the module predicts its changes, and changes nothing, in check mode.
  diff_mode:
    description: Whether the module shows its changes in diff mode. In check mode, the changes that it would make.
  idempotent:
    description: Whether a second run with the same options changes nothing, on a host that has not changed otherwise.
  platform:
    description: The operating systems that the module manages.
    support: full
    platforms: linux
  action_group:
    description: The groups that pass their defaults to the module through C(module_defaults).
    support: full
    membership:
      - multihome.linux.multihome
"""

    # A module that changes hosts.
    FULL = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    # A module that only reads.
    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The module changes nothing, so it does the same in check mode.
  diff_mode:
    support: N/A
    details:
      - The module changes nothing, so there is no difference to show.
  idempotent:
    support: full
    details:
      - The module changes nothing.
"""

    # A module that uses rtnetlink.
    NETLINK = r"""
options: {}
requirements:
  - pyroute2 0.7.2 or newer, on the managed host (Debian and Ubuntu package it as C(python3-pyroute2))
"""
