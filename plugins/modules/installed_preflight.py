#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: installed_preflight
short_description: Run preflight with the code that is installed on the host
description:
  - Does what M(multihome.linux.preflight) does, with the code that M(multihome.linux.keeper) installed, which is
    compiled already. Nothing is changed.
  - M(multihome.linux.preflight) calls it by itself where the connection has no pipelining, and sends its own code where
    this module cannot be used. There is no need to use it directly.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  digests:
    description: The SHA-256 digest of each file of the code, by its path. Other code is not used.
    type: dict
    required: true
  options:
    description: All options of M(multihome.linux.preflight), with their defaults.
    type: dict
    required: true
seealso:
  - module: multihome.linux.preflight
"""

EXAMPLES = r"""
- name: Tell whether the installed code has known digests
  multihome.linux.installed_preflight:
    digests:
      host_plan/run.py: 1d5f6e8f0f0c6b0b7a9d0a1b2c3d4e5f60718293a4b5c6d7e8f9000102030405
    options:
      role: server
      lines:
        - {id: 1, interface: eth0, addresses: [192.168.168.1/24], gateways: [192.168.168.11]}
"""

RETURN = r"""
used:
  description: Whether the installed code was used. The results of M(multihome.linux.preflight) are returned too then.
  returned: always
  type: bool
  sample: true
reason:
  description: Why it was not used.
  returned: when it was not used
  type: str
  sample: the installed code is not the one of the collection
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._installed import answer

ARGUMENT_SPEC = {"digests": {"type": "dict", "required": True}, "options": {"type": "dict", "required": True}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    found = answer(module.params["digests"], module.params["options"])
    for warning in found.pop("warnings", ()):
        module.warn(warning)
    # The arguments may be very long; the task shows them.
    module.exit_json(**{"changed": False, "invocation": {}, **found})


if __name__ == "__main__":
    main()
