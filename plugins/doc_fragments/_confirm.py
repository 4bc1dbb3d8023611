# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# This fragment is private to the collection. It may change in any release.
"""The option of modules whose changes can be reverted unless they are confirmed."""

from __future__ import annotations


class ModuleDocFragment:
    # Matches CONFIRM_OPTION of plugins/module_utils/_module.py.
    DOCUMENTATION = r"""
options:
  confirm:
    description:
      - Protects the change. Before the first change of a run, the module records the state of this collection on the
        host. Unless M(multihome.linux.commit_confirm) confirms the run in time, the host restores that state by itself.
      - A module that has nothing to do records nothing.
      - It needs the program that M(multihome.linux.commit_confirm) installs, with its state V(present).
      - While a run waits for its confirmation, changes of other runs are refused, also of tasks without this option.
      - After a run was reverted, all its later tasks fail.
    type: dict
    suboptions:
      run:
        description: The name of the run, the same for all of its tasks. A later run needs another name.
        type: str
        required: true
      timeout:
        description:
          - The seconds to wait for the confirmation after each change, within ten minutes of the first one.
          - With 0, the change is not protected.
        type: int
        default: 60
attributes:
  action_group:
    membership:
      - multihome.linux.changes
      - multihome.linux.multihome
"""
