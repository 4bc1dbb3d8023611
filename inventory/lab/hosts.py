#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running lab as an Ansible inventory: its hosts, their groups, and the collection's three lists.

LAB_NAME chooses the lab (default: default), LAB_PYTHON the Python that modules run with on its hosts
(default: the checkout's .venv if it exists, else /usr/bin/python3). A booted machine in a host's place has its own.
Under molecule, a lab that is not up is an inventory without hosts.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from tests.lab.declaration import declaration, groups  # noqa: E402  # the path above makes it importable
from tests.lab.lab import Lab  # noqa: E402
from tests.lab.state import LabError  # noqa: E402


def inventory(lab: Lab) -> dict[str, object]:
    """Return the inventory of a running lab in the form of Ansible's inventory scripts."""
    environment = CHECKOUT / ".venv" / "bin" / "python"
    python = os.environ.get("LAB_PYTHON") or (str(environment) if environment.exists() else "/usr/bin/python3")
    topology = lab.topology
    pythons = {**dict.fromkeys(topology.hosts, python), **lab.machines}
    return {
        "_meta": {
            "hostvars": {
                host: {"ansible_connection": "lab", "ansible_python_interpreter": own, "lab_name": lab.name}
                for host, own in pythons.items()
            }
        },
        "all": {"vars": declaration(topology)},
        **{group: {"hosts": hosts} for group, hosts in groups(topology).items()},
    }


if __name__ == "__main__":
    try:
        print(json.dumps(inventory(Lab(os.environ.get("LAB_NAME", "default"))), indent=1))
    except LabError as error:
        # Molecule reads the inventory before its playbook creates the lab, and after another one has removed it.
        if "MOLECULE_SCENARIO_NAME" not in os.environ:
            sys.exit(str(error))
        print(json.dumps({"_meta": {"hostvars": {}}}))
