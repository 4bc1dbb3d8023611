# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This fragment is private to the collection. It may change in any release.
"""The option of modules whose desired state can be stored."""

from __future__ import annotations


class ModuleDocFragment:
    # Matches PERSIST_OPTION of plugins/module_utils/_module.py.
    DOCUMENTATION = r"""
options:
  persist:
    description:
      - Whether to store the listed entries below C(/etc/multihome). From there, C(multihome-keeper) applies them at
        boot and restores objects that disappear. See M(multihome.linux.keeper).
      - With O(purge=true), exactly the list is stored. An empty list leaves no file. With O(purge=false), stored
        entries stay, and entries with the same identity are replaced.
      - The new file is written before anything is changed. It replaces the old file once its entries were applied and
        verified. When it cannot be written, the module fails and the host stays unchanged.
      - With V(false), stored entries stay stored, and the keeper undoes a change that contradicts them.
    type: bool
    default: false
"""
