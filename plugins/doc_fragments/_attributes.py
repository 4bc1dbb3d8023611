# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This fragment is private to the collection. It may change in any release.
"""What the modules have in common towards Ansible: modes, platform, action group, requirements."""

from __future__ import annotations


class ModuleDocFragment:
    # What each attribute means; combine it with FULL or READ_ONLY, which say how far a module supports them.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether the module foretells what it would change, and changes nothing, in check mode.
  diff_mode:
    description: Whether the module shows in diff mode what it changes, or in check mode would change.
  idempotent:
    description: Whether a second run with the same options, on a host nobody else changed, changes nothing.
  platform:
    description: The operating systems that the module manages.
    support: full
    platforms: linux
  action_group:
    description: The groups that hand the module their defaults through C(module_defaults).
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

    # A module that only looks.
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

    # A module that talks rtnetlink.
    NETLINK = r"""
options: {}
requirements:
  - pyroute2 0.7.2 or newer, on the managed host (Debian and Ubuntu package it as C(python3-pyroute2))
"""
