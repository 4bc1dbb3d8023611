#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Whether a host is fit for its lines
description:
  - Looks at a host before anything is changed, and reports everything that would keep its lines from working, now or
    after the next boot, each with its remedy.
  - It looks at interfaces, kernel parameters, routes and policy rules, other owners' packet filters and marks, gateways
    and duplicate addresses, configuration files, and programs that undo what this collection sets.
  - All findings are reported at once. What cannot be looked at, because a program is missing for instance, is a finding
    of its own and no failure.
  - Nothing on the host is changed. To find gateways and duplicate addresses, it sends ARP requests and neighbour
    solicitations, see O(probe_timeout).
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  lines:
    description:
      - The lines of this host. Entries of the roles' C(isp_firewall_lines) and C(multihomed_web_lines) fit as they are.
      - All faults of the list are reported together.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - The line's number, 1 to 250.
          - Needed in every entry.
        type: str
      interface:
        description:
          - The interface by which this host reaches the line.
          - Needed in every entry.
        type: str
      addresses:
        description: The addresses of the line on this host, with prefix lengths, or V(auto).
        type: list
        elements: str
        aliases: [public_addresses]
      outside_addresses:
        description:
          - Addresses with prefix lengths that this host has in place of those of the same family in
            O(lines[].addresses), where a device of the ISP translates these.
        type: list
        elements: str
      gateways:
        description: The next hops of the line, or V(auto).
        type: list
        elements: str
        aliases: [gateway]
      weight:
        description: Not looked at; it is here so that the list of a role fits.
        type: str
      name:
        description: What messages call the line.
        type: str
      left_out:
        description: Why the line cannot be used now; a warning says so.
        type: str
      without_gateway:
        description: Not looked at; it is here so that the list of a role fits.
        type: list
        elements: str
      learned:
        description: Not looked at; it is here so that the list of a role fits.
        type: bool
  role:
    description:
      - What the host is to the lines.
      - A V(firewall) has to forward packets, and other packet filters must let mapped connections pass.
    type: str
    choices: [firewall, server]
    required: true
  servers:
    description:
      - The addresses that a firewall maps to. They tell which rules of other packet filters matter.
      - Without them, a filter with any rules that accept is a warning and no error.
    type: list
    elements: str
    default: []
  uses_marks:
    description:
      - Whether connections are marked with their line.
      - With V(false), marks of others are not looked at, and a server needs no packet filter.
    type: bool
    default: true
  table_base:
    description: A line's routing table has this number plus the line's id.
    type: int
    default: 1000
  priority_base:
    description: Where the band of priorities begins that marks are looked at in.
    type: int
    default: 20000
  source_priority_base:
    description: Where the band of priorities begins that sources are looked at in.
    type: int
    default: 23000
  mark_mask:
    description: The bits of the mark that hold a line's id.
    type: str
    default: "0xff"
  protocol:
    description: The owner tag by which routes and policy rules of this collection are known.
    type: int
    default: 109
  table:
    description:
      - The nftables table of this collection. It is not taken for somebody else's.
      - Neither are iptables chains whose names begin with it, in whatever case.
    type: str
    default: multihome
  file:
    description: The file that sets this collection's kernel parameters at boot.
    type: str
    default: /etc/sysctl.d/60-multihome.conf
  kernel_parameters:
    description:
      - The kernel parameters that whoever asks is going to set, as M(multihome.linux.kernel_parameters) takes them.
      - What they mend is reported as information, with RV(findings[].will_mend).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The parameter.
        type: str
        required: true
      value:
        description: The value.
        type: str
        required: true
      optional:
        description: Not looked at; it is here so that the same list fits.
        type: bool
        default: false
  purge:
    description:
      - Whether whoever asks is going to remove from O(file) what O(kernel_parameters) does not name.
      - Only RV(kernel_parameters_pending) goes by it.
    type: bool
    default: false
  manages_networkd:
    description:
      - Whether whoever asks is going to have systemd-networkd leave alone what is not its own.
      - What that mends is reported as information, with RV(findings[].will_mend).
    type: bool
    default: false
  manages_forwarding:
    description:
      - Whether whoever asks is going to let mapped connections pass other people's rules of iptables, by
        M(multihome.linux.forward_policy).
      - What that mends is reported as information, with RV(findings[].will_mend).
    type: bool
    default: false
  probe_timeout:
    description:
      - How many seconds to wait for answers of gateways and of hosts that have an address of the lines already; all of
        them are asked at once.
      - With V(0), nobody is asked.
    type: float
    default: 1.0
  host:
    description: What messages call this host, usually C(inventory_hostname). Warnings do not name it otherwise.
    type: str
    default: ""
  fail_on:
    description:
      - Whether to fail when there are findings, with a message that lists them and their remedies.
      - V(warning) stands for errors as well.
    type: str
    choices: [never, error, warning]
    default: error
notes:
  - Without pyroute2, addresses, routes and policy rules are not looked at; without C(nft) and C(iptables-save), packet
    filters are not.
  - Warnings are printed, unless the module fails and lists them anyway.
seealso:
  - module: multihome.linux.path_info
  - module: multihome.linux.line_check
  - module: multihome.linux.kernel_parameters
"""

EXAMPLES = r"""
- name: Is this firewall ready for its line?
  multihome.linux.preflight:
    role: firewall
    servers: [192.168.168.1, 192.168.168.2]
    uses_marks: false
    lines:
      - {name: unicom, id: 1, interface: wan0, public_addresses: [203.0.113.10/24], gateway: 203.0.113.1}

- name: Look at a server with an alias for each line, and go on whatever is found
  multihome.linux.preflight:
    role: server
    fail_on: never
    lines:
      - {name: unicom, id: 1, interface: eth0, addresses: [192.168.168.1/24], gateways: [192.168.168.11]}
      - {name: interlink, id: 2, interface: eth0, addresses: [192.168.168.2/24], gateways: [192.168.168.12]}
  register: looked_at

- name: Which programs stand in the way?
  ansible.builtin.debug:
    msg: "{{ looked_at.findings | selectattr('severity', 'eq', 'error') | map(attribute='remedy') }}"

- name: A line whose address comes from the ISP, without sending a packet
  multihome.linux.preflight:
    role: server
    probe_timeout: 0
    lines:
      - {id: 3, interface: ppp0, addresses: [auto], gateways: [auto]}
"""

RETURN = r"""
findings:
  description: Everything found, the gravest first. The documentation's page on preflight lists every kind.
  returned: unless an option is invalid
  type: list
  elements: dict
  contains:
    id:
      description: The kind of the finding.
      type: str
      sample: rp-filter-strict
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      sample: error
    subject:
      description: Where it was found; an interface, an address, a table for instance.
      type: str
      sample: wan0
    message:
      description: What was found.
      type: str
      sample: "rp_filter is strict (1) on wan0: its own value is 0, that of all is 1"
    remedy:
      description: What to do.
      type: str
      sample: set net.ipv4.conf.wan0.rp_filter = 2 (the larger of this and conf.all counts)
    kernel_parameter:
      description: The entry of M(multihome.linux.kernel_parameters) that mends it; null where none does.
      type: dict
      sample: {name: net.ipv4.conf.wan0.rp_filter, value: "2"}
    will_mend:
      description: Whether it needs no doing, because of O(kernel_parameters), O(manages_networkd) or
        O(manages_forwarding).
      type: bool
      sample: false
  sample:
    - id: rp-filter-strict
      severity: error
      subject: wan0
      message: "rp_filter is strict (1) on wan0: its own value is 0, that of all is 1"
      remedy: set net.ipv4.conf.wan0.rp_filter = 2 (the larger of this and conf.all counts)
      kernel_parameter: {name: net.ipv4.conf.wan0.rp_filter, value: "2"}
      will_mend: false
counts:
  description: How many findings there are of each severity.
  returned: unless an option is invalid
  type: dict
  sample: {error: 1, warning: 0, info: 0}
networkd:
  description:
    - The settings by which a systemd-networkd that runs here leaves alone what is not its own, those that it knows.
    - Empty where none runs.
  returned: unless an option is invalid
  type: list
  elements: str
  sample: [ManageForeignRoutes, ManageForeignRoutingPolicyRules]
kernel_parameters_pending:
  description:
    - Whether M(multihome.linux.kernel_parameters) would do anything here, or fail.
    - It goes by O(kernel_parameters), O(file) and O(purge).
  returned: unless an option is invalid
  type: bool
  sample: false
requirements:
  description: What the modules of this collection need on the host, as M(multihome.linux.multihome_info) returns it.
  returned: unless an option is invalid
  type: dict
  sample:
    nft: {ok: true, needed: 1.0.2 or newer, found: 1.0.6 in /usr/sbin/nft}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.host.kernel_parameters import DEFAULT_FILE
from ..module_utils._core.preflight.run import run
from ..module_utils._module import DEFAULT_OWNER, with_errors_reported

_TEXT = {"type": "str"}
_TEXTS = {"type": "list", "elements": "str"}
ARGUMENT_SPEC = {
    # Entries are judged by the engine, which tells all faults of the list at once.
    "lines": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            **dict.fromkeys(("id", "interface", "weight", "name", "left_out"), _TEXT),
            "addresses": {**_TEXTS, "aliases": ["public_addresses"]},
            "outside_addresses": _TEXTS,
            "gateways": {**_TEXTS, "aliases": ["gateway"]},
            "without_gateway": _TEXTS,
            "learned": {"type": "bool"},
        },
    },
    "role": {"type": "str", "choices": ["firewall", "server"], "required": True},
    "servers": {**_TEXTS, "default": []},
    "uses_marks": {"type": "bool", "default": True},
    "table_base": {"type": "int", "default": 1000},
    "priority_base": {"type": "int", "default": 20000},
    "source_priority_base": {"type": "int", "default": 23000},
    "mark_mask": {"type": "str", "default": "0xff"},
    "protocol": {"type": "int", "default": DEFAULT_OWNER},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    "file": {"type": "str", "default": DEFAULT_FILE},
    "kernel_parameters": {"type": "list", "elements": "dict", "default": []},
    "purge": {"type": "bool", "default": False},
    "manages_networkd": {"type": "bool", "default": False},
    "manages_forwarding": {"type": "bool", "default": False},
    "probe_timeout": {"type": "float", "default": 1.0},
    "host": {"type": "str", "default": ""},
    "fail_on": {"type": "str", "choices": ["never", "error", "warning"], "default": "error"},
}


def look(module: AnsibleModule) -> None:
    """Look at the host and end the module with the result; raises MultihomeError."""
    report = run(module.params)
    if report.failed:
        module.fail_json(msg=report.message, **report.as_result())
    for warning in report.warnings:
        module.warn(warning)
    module.exit_json(changed=False, **report.as_result())


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with_errors_reported(module, lambda: look(module))


if __name__ == "__main__":
    main()
