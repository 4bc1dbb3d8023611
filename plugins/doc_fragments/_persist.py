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
      - Whether to store the listed entries below C(/etc/multihome), from where C(multihome-keeper) applies them at boot
        and puts back what disappears. See M(multihome.linux.keeper).
      - With O(purge=true) just the list is stored, and no file is left of an empty one. With O(purge=false) what was
        stored stays, but for entries of the same identity, which are replaced.
      - The new file is written before anything is changed, and takes its place once what it says was applied and read
        back. When it cannot be written, the module fails and the host stays as it was.
      - With V(false), what was stored stays stored, and the keeper undoes a change that contradicts it.
    type: bool
    default: false
"""
