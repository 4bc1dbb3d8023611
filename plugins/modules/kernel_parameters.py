#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_parameters
short_description: Set kernel parameters now and at every boot
description:
  - Sets kernel parameters (sysctl) in C(/proc/sys), and writes them to one file below C(/etc/sysctl.d), which sets them
    again at boot.
  - The whole list is one change. When a parameter is refused, the parameters set before it get their old values again.
  - An entry is satisfied only when both the value in effect and the file match it.
  - Some parameters change others, as C(net.ipv4.ip_forward) changes C(net.ipv4.conf.eth0.forwarding). The module sets
    and writes the parameters with the widest effect first, so that the entry for a single interface takes effect,
    whatever the order of the list.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  # First, for its action group.
  - multihome.linux._confirm
  - multihome.linux._attributes
  - multihome.linux._attributes.full
options:
  parameters:
    description:
      - The kernel parameters.
      - All faults of the list are reported together.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The parameter, with dots or with slashes between its parts.
          - Where a part, usually an interface, contains a dot itself, write slashes between the parts, or a slash for
            that dot, as sysctl.d(5) says.
        type: str
        required: true
      value:
        description:
          - The value.
          - The amount of white space between the parts of a value makes no difference.
        type: str
        required: true
      optional:
        description:
          - Whether to skip the entry on a host that has no such parameter.
          - A parameter of an interface that does not exist is written to O(file) all the same. It is set at boot, and
            by the keeper when the interface appears.
          - The result names such entries in RV(skipped_parameters).
        type: bool
        default: false
  file:
    description:
      - The file that sets the parameters at boot, directly in C(/etc/sysctl.d), with a name that ends in C(.conf).
      - It belongs to this module alone. A file of another owner is never overwritten.
      - At boot, files are read in the order of their names, and the last value wins.
    type: str
    default: /etc/sysctl.d/60-multihome.conf
  purge:
    description:
      - Whether to remove parameters from O(file) that O(parameters) does not list. A file without parameters is
        removed.
      - The value in effect stays until the next boot, because the value to restore is unknown.
    type: bool
    default: false
seealso:
  - module: ansible.posix.sysctl
"""

EXAMPLES = r"""
- name: Enable forwarding of both families on a firewall
  multihome.linux.kernel_parameters:
    parameters:
      - name: net.ipv4.ip_forward
        value: "1"
      - name: net.ipv6.conf.all.forwarding
        value: "1"

- name: Accept packets on each line's interface whose replies leave by another
  multihome.linux.kernel_parameters:
    parameters:
      - name: net.ipv4.conf.all.rp_filter
        value: "0"
      - name: net.ipv4.conf.wan0.rp_filter
        value: "2"
      - name: net/ipv4/conf/eth0.100/rp_filter
        value: "2"

- name: Keep exactly these in a separate file
  multihome.linux.kernel_parameters:
    file: /etc/sysctl.d/61-multihome-web.conf
    purge: true
    parameters:
      - name: net.ipv4.tcp_rmem
        value: 4096 131072 6291456
      - name: net.netfilter.nf_conntrack_max
        value: "262144"
        optional: true

- name: Stop setting parameters at boot
  multihome.linux.kernel_parameters:
    parameters: []
    purge: true
"""

RETURN = r"""
actions:
  description:
    - The changes made, in order. In check mode, the changes that would be made.
    - V(add) stands for a parameter that was not in O(file), V(replace) for one with another value in O(file) or in
      effect, V(remove) for one that is removed from O(file).
  returned: success
  type: list
  elements: dict
  sample:
    - op: add
      object:
        name: net.ipv4.ip_forward
        value: "1"
before:
  description: The content of O(file) before the run, as entries of O(parameters). Listed ones have the value in effect.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The content of O(file) after the run, as entries of O(parameters).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample:
    - name: net.ipv4.ip_forward
      value: "1"
skipped_parameters:
  description: The names of the optional parameters that do not exist on this host.
  returned: success
  type: list
  elements: str
  sample:
    - net.netfilter.nf_conntrack_max
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.confirm import ConfirmGuard
from ..module_utils._core.host.kernel_parameters import DEFAULT_FILE, KernelParameterEngine
from ..module_utils._module import CONFIRM_OPTION, ListModule, guarded, result, with_errors_reported

# The engine checks the entries and reports all faults of the list at once.
_PARAMETERS = {"type": "list", "elements": "dict", "required": True}
ARGUMENT_SPEC = {
    "parameters": {
        **_PARAMETERS,
        "options": {
            "name": {"type": "str", "required": True},
            "value": {"type": "str", "required": True},
            "optional": {"type": "bool", "default": False},
        },
    },
    "file": {"type": "str", "default": DEFAULT_FILE},
    "purge": {"type": "bool", "default": False},
    **CONFIRM_OPTION,
}


def set_parameters(module: AnsibleModule) -> None:
    """Converge the parameters and end the module with the result; raises MultihomeError."""
    options = {name: value for name, value in module.params.items() if name != "confirm"}
    engine = KernelParameterEngine(**options)
    guard = ConfirmGuard(
        module.params["confirm"], lambda current: {"parameters": list(current.live), "files": [engine.file]}
    )
    outcome = guarded(engine, module, guard)
    answer = result(engine, outcome, bool(module._diff))
    module.exit_json(**answer, skipped_parameters=list(outcome.plan.missing))


def main() -> None:
    """Run the module."""
    module = ListModule(ARGUMENT_SPEC, judged=("parameters",))
    with_errors_reported(module, lambda: set_parameters(module))


if __name__ == "__main__":
    main()
