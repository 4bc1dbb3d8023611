#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: multihome_info
short_description: What this collection has put on a host
description:
  - Reads what stands on a host, each kind in the input form of the module that manages it, so that it can be kept,
    compared, or given back to that module.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  gather_subset:
    description:
      - What to read.
      - Reading V(ip_aliases) and V(policy_routing) needs pyroute2 on the host.
      - Reading V(nat_rules) and V(nat_counters) needs nft on the host.
      - V(interfaces) are the addresses and gateways that the interfaces have got from others. It needs pyroute2 too.
      - V(foreign_addresses) are those of the host that this collection did not put there, whatever O(owned_only) says.
        Link-local and loopback addresses are left out. It needs pyroute2 on the host.
      - V(keeper) tells what C(multihome-keeper) did, what it waits for and what it may not do, from what it wrote down.
      - V(requirements) tells which of the tools the modules need are there, and never fails.
      - Reading V(forward_policy) and V(connection_marks) needs nft or iptables on the host.
      - Without this option V(ip_aliases), V(policy_routing) and, where their tools are installed, V(nat_rules),
        V(forward_policy) and V(connection_marks).
    type: list
    elements: str
    choices:
      - ip_aliases
      - policy_routing
      - nat_rules
      - forward_policy
      - connection_marks
      - nat_counters
      - foreign_addresses
      - interfaces
      - keeper
      - requirements
  owned_only:
    description:
      - Whether to leave out what others put there.
      - What the kernel makes by itself, routes of connected networks for instance, is left out in any case.
    type: bool
    default: true
  table:
    description: The nft table of V(nat_rules), V(nat_counters), V(forward_policy) and V(connection_marks).
    type: str
    default: multihome
  protocol:
    description: The owner tag by which this collection's objects are known.
    type: int
    default: 109
seealso:
  - module: multihome.linux.ip_aliases
  - module: multihome.linux.policy_routing
  - module: multihome.linux.nat_rules
  - module: multihome.linux.forward_policy
  - module: multihome.linux.connection_marks
"""

EXAMPLES = r"""
- name: What has this collection put here?
  multihome.linux.multihome_info:
  register: here

- name: Every policy rule of the host, other owners' too
  multihome.linux.multihome_info:
    gather_subset: [policy_routing]
    owned_only: false

- name: Which service is used, and how much?
  multihome.linux.multihome_info:
    gather_subset: [nat_counters]

- name: Does the keeper run, and what does it wait for?
  multihome.linux.multihome_info:
    gather_subset: [keeper]

- name: Is what the modules need installed?
  multihome.linux.multihome_info:
    gather_subset: [requirements]
"""

RETURN = r"""
ip_aliases:
  description: Addresses, as entries of O(multihome.linux.ip_aliases#module:aliases).
  returned: when O(gather_subset) has V(ip_aliases)
  type: list
  elements: dict
  sample: [{address: 192.168.168.1/24, interface: eth0}]
policy_routing:
  description: Routes and policy rules, as the options of M(multihome.linux.policy_routing).
  returned: when O(gather_subset) has V(policy_routing)
  type: dict
  contains:
    tables:
      description: Routing tables with their routes.
      type: list
      elements: dict
      sample: [{id: 1001, routes: [{destination: default, gateway: 192.168.168.11, interface: eth0}]}]
    rules:
      description: Policy rules.
      type: list
      elements: dict
      sample: [{priority: 23010, family: ipv4, source: 192.168.168.1, table: 1001}]
  sample: {tables: [], rules: []}
nat_rules:
  description: Translations, as entries of O(multihome.linux.nat_rules#module:rules), in the order they are tried.
  returned: when O(gather_subset) has V(nat_rules)
  type: list
  elements: dict
  sample: [{type: masquerade, family: ipv4, out_interface: wan0}]
forward_policy:
  description: What is let pass and what becomes of the rest, as the options of M(multihome.linux.forward_policy).
  returned: when O(gather_subset) has V(forward_policy)
  type: dict
  contains:
    policy:
      description: What becomes of the rest.
      type: str
      sample: drop
    accept:
      description: What is let pass, where something would drop it.
      type: list
      elements: dict
      sample: [{mapped_to: 192.168.168.1}]
  sample: {policy: drop, accept: [{mapped_to: 192.168.168.1}]}
connection_marks:
  description: Marks of connections, as the options of M(multihome.linux.connection_marks). Nobody else's are read.
  returned: when O(gather_subset) has V(connection_marks)
  type: dict
  contains:
    mask:
      description: The bits that hold the marks.
      type: str
      sample: "0xff"
    marks:
      description: By what the connections of each line are known.
      type: list
      elements: dict
      sample: [{mark: 1, in_interface: wan0}]
    balance:
      description: The shares of the host's own new connections.
      type: list
      elements: dict
      sample: [{mark: 1, weight: 4, sources: [192.0.2.11]}]
    balance_from:
      description: The addresses that connections begin with before they are given to a line.
      type: list
      elements: str
      sample: [192.0.0.8]
    balance_exclude:
      description: Where connections go that are not spread.
      type: list
      elements: str
      sample: [10.1.0.0/16]
  sample: {mask: "0xff", marks: [{mark: 1, in_interface: wan0}], balance: [], balance_from: [], balance_exclude: []}
nat_counters:
  description: The same, each with the C(packets) and C(bytes) it counted; of a connection only the first packet is.
  returned: when O(gather_subset) has V(nat_counters)
  type: list
  elements: dict
  sample: [{type: masquerade, family: ipv4, out_interface: wan0, packets: 12, bytes: 720}]
interfaces:
  description:
    - What each interface has got from others, by DHCP or PPPoE for instance, whatever O(owned_only) says.
    - The C(addresses) have prefix lengths; link-local, temporary, deprecated and tentative ones are left out.
    - The C(gateways) are for each family that of the table main's best default route by the interface, one of this
      collection aside, else the other end of a point-to-point link.
    - The families C(without_gateway) have a default route by the interface alone, as that of a tunnel is.
  returned: when O(gather_subset) has V(interfaces)
  type: dict
  sample: {wan0: {addresses: [203.0.113.10/24], gateways: [203.0.113.1], without_gateway: []}}
foreign_addresses:
  description: Addresses of others, without prefix lengths.
  returned: when O(gather_subset) has V(foreign_addresses)
  type: list
  elements: str
  sample: [192.168.168.101, "fd00:168::101"]
keeper:
  description: What the keeper said last. Only RV(keeper.running) where it never ran since the boot.
  returned: when O(gather_subset) has V(keeper)
  type: dict
  contains:
    running:
      description: Whether it runs.
      type: bool
      sample: true
    since:
      description: When it was started, in UTC.
      type: str
      sample: "2026-11-22T19:35:03Z"
    repairs:
      description: How many objects it has put back since.
      type: int
      sample: 3
    last_repair:
      description: The C(time), C(kind) and C(object) of the last one; null when there was none.
      type: dict
      sample:
        time: "2026-11-22T19:35:14Z"
        kind: policy_routing
        object: IPv4 rule 23010 (source 192.168.168.1, table 1001)
    damped:
      description:
        - What another program removes again and again, with how often it was put back, and the time of the C(next_try).
      type: list
      elements: dict
      sample:
        - object: IPv4 rule 23010 (source 192.168.168.1, table 1001)
          repairs: 13
          next_try: "2026-11-22T19:35:18Z"
    waiting:
      description:
        - What cannot stand now, each with the stored C(file) and the C(reason), for example a missing interface or an
          object of somebody else in its place.
      type: list
      elements: dict
      sample:
        - file: ip_aliases.json
          object: address 192.168.168.1/24 on eth1
          reason: interface "eth1" does not exist on this host
    refused:
      description: Stored files that are not used, each with the C(reason).
      type: list
      elements: dict
      sample: [{file: nat_rules.json, reason: "it is not JSON (Expecting value: line 1 column 1 (char 0))"}]
    last_error:
      description: The C(time) and the text of the last C(error); null when there was none.
      type: dict
      sample: {time: "2026-11-22T19:35:14Z", error: "nat_rules.json: not applied, and left as it is: it has no version"}
  sample: {running: false}
left_out:
  description: What could not be read for want of a tool, with the reason.
  returned: when O(gather_subset) is not given and a tool is missing
  type: dict
  sample:
    nat_rules: nft needs 1.0.2 or newer, found none in PATH or the system directories; install the package nftables
requirements:
  description: For each tool whether it will do (C(ok)), the version C(needed), the one C(found) and where, a C(remedy).
  returned: when O(gather_subset) has V(requirements)
  type: dict
  sample:
    ip: {ok: true, needed: any version, found: /usr/sbin/ip}
    nft: {ok: true, needed: 1.0.2 or newer, found: 1.0.6 in /usr/sbin/nft}
    pyroute2:
      ok: false
      needed: 0.7.2 or newer
      found: none (No module named 'pyroute2')
      remedy: install python3-pyroute2 for /usr/bin/python3, or name another ansible_python_interpreter
"""

from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.info.gather import SUBSETS, gather
from ..module_utils._module import OWNER_OPTIONS, run_reader

ARGUMENT_SPEC = {
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "choices": list(SUBSETS),
    },
    "owned_only": {"type": "bool", "default": True},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    "protocol": OWNER_OPTIONS["protocol"],
}


def main() -> None:
    """Run the module."""
    run_reader(ARGUMENT_SPEC, lambda o: gather(o["gather_subset"], o["protocol"], o["owned_only"], o["table"]))


if __name__ == "__main__":
    main()
