# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall's tracked connections, and a look of the keeper at its translations. Run on the firewall of lab.py.

python tracked.py list                         prints [original destination, its port, identity] of each connection
python tracked.py repair                       reads the options of nat_rules; does once what the keeper does
"""

from __future__ import annotations

import json
import sys

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper.reconcile import Policy, reconcile
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.conntrack import Conntrack
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.engine import NatEngine


def main(command: str) -> None:
    """Do what the argument says."""
    if command == "repair":
        found = reconcile(NatEngine.from_options(json.load(sys.stdin)), "nat_rules", Policy())
        print(json.dumps([sorted(found.repaired), sorted(found.waiting)]))
    else:
        flows = Conntrack().flows(only_translated=False)
        print(json.dumps([[f.original.destination, f.original.destination_port, f.handle.hex()] for f in flows]))


if __name__ == "__main__":
    main(sys.argv[1])
