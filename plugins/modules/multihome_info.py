#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: multihome_info
short_description: Read the configuration that this collection manages
description:
  - Reads the configuration of a host. Each kind is returned in the input form of the module that manages it, so that it
    can be stored, compared, or passed to that module again.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.read_only
options:
  gather_subset:
    description:
      - The kinds to read.
      - Reading V(ip_aliases) and V(policy_routing) needs pyroute2 on the host.
      - Reading V(nat_rules) and V(nat_counters) needs nft on the host.
      - V(interfaces) are the addresses and gateways that the interfaces got from other sources. It needs pyroute2 too.
      - V(foreign_addresses) are the addresses of the host that this collection did not configure, whatever
        O(owned_only) says. Link-local and loopback addresses are left out. It needs pyroute2 on the host.
      - V(keeper) is the latest report of C(multihome-keeper). It lists repairs, waiting objects and refused files.
      - V(line_health) is the latest judgement of the keeper about the lines of M(multihome.linux.line_health).
      - V(checkpoints) are the states that M(multihome.linux.commit_confirm) can restore.
      - V(requirements) lists which of the tools that the modules need are installed, and never fails.
      - V(dns) are the zones that the host publishes, without the secrets of keys, and whether it has a name server.
      - V(taken_translations) are translations of other programs that take connections of V(nat_rules). All packet
        filters of the host are read for it, which needs nft or iptables.
      - Reading V(forward_policy) and V(connection_marks) needs nft or iptables on the host.
      - Without this option, V(ip_aliases), V(policy_routing) and, where their tools are installed, V(nat_rules),
        V(forward_policy) and V(connection_marks) are read.
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
      - line_health
      - checkpoints
      - requirements
      - dns
      - taken_translations
  owned_only:
    description:
      - Whether to leave out objects of other owners.
      - Objects that the kernel creates by itself, for example routes of connected networks, are always left out.
    type: bool
    default: true
  table:
    description: The nft table of V(nat_rules), V(nat_counters), V(forward_policy) and V(connection_marks).
    type: str
    default: multihome
  protocol:
    description: The owner tag that identifies the objects of this collection.
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
- name: Read everything that this collection manages
  multihome.linux.multihome_info:
  register: here

- name: Read every policy rule of the host, including those of other owners
  multihome.linux.multihome_info:
    gather_subset: [policy_routing]
    owned_only: false

- name: Read how much each service is used
  multihome.linux.multihome_info:
    gather_subset: [nat_counters]

- name: Read the state of the keeper
  multihome.linux.multihome_info:
    gather_subset: [keeper]

- name: Check whether the required tools are installed
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
  description: Routes, policy rules and interface groups, as the options of M(multihome.linux.policy_routing).
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
    interface_groups:
      description:
        - Groups of interfaces. The group whose number is O(protocol) is owned.
      type: list
      elements: dict
      sample: [{interface: wan0, group: 109}]
  sample: {tables: [], rules: []}
nat_rules:
  description: Translations, as entries of O(multihome.linux.nat_rules#module:rules), in the order they are tried.
  returned: when O(gather_subset) has V(nat_rules)
  type: list
  elements: dict
  sample: [{type: masquerade, family: ipv4, out_interface: wan0}]
forward_policy:
  description: The forwarding policy and the accepted connections, as options of M(multihome.linux.forward_policy).
  returned: when O(gather_subset) has V(forward_policy)
  type: dict
  contains:
    policy:
      description: How connections that are not accepted are treated.
      type: str
      sample: drop
    accept:
      description: The accepted connections, as far as something would drop them.
      type: list
      elements: dict
      sample: [{mapped_to: 192.168.168.1}]
  sample: {policy: drop, accept: [{mapped_to: 192.168.168.1}]}
connection_marks:
  description: Marks of connections, as options of M(multihome.linux.connection_marks). Only this collection's are read.
  returned: when O(gather_subset) has V(connection_marks)
  type: dict
  contains:
    mask:
      description: The bits that contain the marks.
      type: str
      sample: "0xff"
    marks:
      description: How the connections of each line are identified.
      type: list
      elements: dict
      sample: [{mark: 1, in_interface: wan0}]
    balance:
      description: The lines over which the host's own new connections are distributed.
      type: list
      elements: dict
      sample: [{mark: 1, weight: 4, sources: [192.0.2.11]}]
    balance_from:
      description: The source addresses whose new connections are distributed.
      type: list
      elements: str
      sample: [192.0.0.8]
    balance_exclude:
      description: The destinations whose connections are not distributed.
      type: list
      elements: str
      sample: [10.1.0.0/16]
    balance_networks:
      description: The networks whose forwarded new connections are distributed.
      type: list
      elements: str
      sample: [192.168.168.0/24]
    keep_networks:
      description: The networks whose forwarded connections keep the line that they left by.
      type: list
      elements: str
      sample: [192.168.168.0/24]
  sample: {mask: "0xff", marks: [{mark: 1, in_interface: wan0}], balance: [], balance_from: [], balance_exclude: [],
    balance_networks: [], keep_networks: []}
nat_counters:
  description: The same, each with its C(packets) and C(bytes). Only the first packet of a connection counts.
  returned: when O(gather_subset) has V(nat_counters)
  type: list
  elements: dict
  sample: [{type: masquerade, family: ipv4, out_interface: wan0, packets: 12, bytes: 720}]
taken_translations:
  description:
    - Translations of other programs that take, or may take, connections that a configured entry of
      M(multihome.linux.nat_rules) is for. Those that are asked after the entries are left out.
  returned: when O(gather_subset) has V(taken_translations)
  type: list
  elements: dict
  contains:
    place:
      description: The table and the chain of the translation.
      type: str
      sample: nft table ip other, chain c
    owner:
      description: The program that wrote it, as far as it is known.
      type: str
      sample: Docker
    rule:
      description: The rule.
      type: str
      sample: DNAT port 80
    entry:
      description: The first entry that it concerns, as an entry of O(multihome.linux.nat_rules#module:rules).
      type: dict
      sample: {type: dnat, family: ipv4, protocol: tcp, destination_port: "80", to_address: 192.168.168.1}
    order:
      description: V(first) when it is asked before the entry, V(unknown) when it may be.
      type: str
      sample: first
    message:
      description: All of it in one line.
      type: str
      sample: "ip nat, chain PREROUTING: its rule DNAT port 80 is asked first, and takes connections of the entry web"
    remedy:
      description: What to do about it.
      type: str
      sample: remove the rule, have Docker use another port or address for it, or remove the entry
  sample: []
interfaces:
  description:
    - The addresses and gateways of each interface from other sources, such as DHCP or PPPoE, whatever O(owned_only)
      says.
    - The C(addresses) have prefix lengths. Link-local, temporary, deprecated and tentative ones are left out.
    - The C(gateways) contain, for each family, the gateway of the best default route by the interface in table main.
      Routes of this collection do not count. Without one, it is the other end of a point-to-point link.
    - The gateways in C(onlink) are in no network of the interface, as the default route itself says.
    - The families in C(without_gateway) have a default route by the interface alone, as a tunnel has.
  returned: when O(gather_subset) has V(interfaces)
  type: dict
  sample: {wan0: {addresses: [203.0.113.10/24], gateways: [203.0.113.1], without_gateway: [], onlink: []}}
foreign_addresses:
  description: Addresses of other owners, without prefix lengths.
  returned: when O(gather_subset) has V(foreign_addresses)
  type: list
  elements: str
  sample: [192.168.168.101, "fd00:168::101"]
keeper:
  description: The latest report of the keeper. Only RV(keeper.running) if it has not run since the boot.
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
      description: How many objects it has restored since then.
      type: int
      sample: 3
    zones:
      description: The C(zone)s that it keeps published, the domains that this host C(publishes) now, and the C(fault).
      type: list
      elements: dict
      sample: [{zone: svc.example.com, publishes: [www.svc.example.com], fault: ""}]
    taken:
      description:
        - The replies that do not leave by their line, as RV(multihome.linux.path_info#module:findings) has them.
      type: list
      elements: dict
      sample: []
    taken_translations:
      description:
        - Translations of other programs that take, or may take, connections that a stored entry of
          M(multihome.linux.nat_rules) is for, with the C(place), the C(owner) as far as it is known, the C(rule), the
          C(entry), the C(order), V(first) or V(unknown), a C(message), and a C(remedy).
      type: list
      elements: dict
      sample: []
    taken_defaults:
      description:
        - Default routes of other programs in the table main that are preferred to those of the lines, with the
          C(family), C(gateway), C(interface), C(metric) and C(owner). C(always) says that one is preferred to those of
          all lines. There are a C(message) and a C(remedy).
      type: list
      elements: dict
      sample: []
    last_repair:
      description: The C(time), C(kind) and C(object) of the last repair, null without one.
      type: dict
      sample:
        time: "2026-11-22T19:35:14Z"
        kind: policy_routing
        object: IPv4 rule 23010 (source 192.168.168.1, table 1001)
    damped:
      description:
        - Objects that another program removes repeatedly, with the number of C(repairs) and the time of the
          C(next_try).
      type: list
      elements: dict
      sample:
        - object: IPv4 rule 23010 (source 192.168.168.1, table 1001)
          repairs: 13
          next_try: "2026-11-22T19:35:18Z"
    waiting:
      description:
        - Objects that cannot be configured now, each with the stored C(file) and the C(reason), for example a missing
          interface or an object of another owner in its place.
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
      description: The C(time) and the text of the last C(error), null without one.
      type: dict
      sample: {time: "2026-11-22T19:35:14Z", error: "nat_rules.json: not applied, and left as it is: it has no version"}
  sample: {running: false}
line_health:
  description: The latest judgement about the lines. Only RV(line_health.running) where no lines are watched.
  returned: when O(gather_subset) has V(line_health)
  type: dict
  contains:
    running:
      description: Whether the keeper watches the lines now; otherwise this is the last word of an earlier one.
      type: bool
      sample: true
    time:
      description: When it was written, in UTC.
      type: str
      sample: "2026-11-22T19:35:03Z"
    usable:
      description: By family, the C(lines) that traffic is sent over, the C(degraded) ones of them, and an C(alarm).
      type: dict
      sample: {ipv4: {lines: [unicom, interlink], degraded: [], alarm: null}}
    lines:
      description: By line and family, the C(state), whether the line is C(usable), and the C(reason).
      type: dict
      sample:
        unicom:
          ipv4: {state: up, usable: true, reason: answers, seconds: 310.2, loss_percent: 0.0, address: 203.0.113.10}
  sample: {running: false}
checkpoints:
  description: The run that waits for its confirmation, and the last five confirmed states, the newest first.
  returned: when O(gather_subset) has V(checkpoints)
  type: dict
  contains:
    pending:
      description: The run that waits, in the form of an element of RV(checkpoints.confirmed), or null.
      type: dict
    confirmed:
      description: The confirmed states.
      type: list
      elements: dict
      contains:
        run:
          description: The name of the run.
          type: str
          sample: 20261128T103000Z-83
        state:
          description: The state of the run.
          type: str
          sample: confirmed
        time:
          description: When it was confirmed.
          type: str
          sample: "2026-11-28T10:30:41Z"
        who:
          description: The user who ran Ansible, and the address from which, where the host knows it.
          type: str
          sample: ada from 192.0.2.1
        summary:
          description: The changes of the run.
          type: str
          sample: 2 addresses added, 6 rules added, 3 files changed
        unproven:
          description: What could not be checked before the run was confirmed.
          type: list
          elements: str
          sample: []
dns:
  description: The zones that the host publishes, and its name server.
  returned: when O(gather_subset) has V(dns)
  type: dict
  contains:
    zones:
      description: The stored zones, as options of M(multihome.linux.dns_records) without its C(records).
      type: list
      elements: dict
      sample: [{zone: svc.example.com, servers: [192.0.2.53], port: 53, key_name: multihome-web1}]
    name_server:
      description: Whether M(multihome.linux.name_server) has configured one.
      type: bool
      sample: false
    packages:
      description: The packages of the host's distribution with C(dnspython) and C(knot).
      type: dict
      sample: {dnspython: python3-dnspython, knot: knot}
  sample: {zones: [], name_server: false, packages: {dnspython: python3-dnspython, knot: knot}}
left_out:
  description: The kinds that could not be read because a tool is missing, with the reason.
  returned: when O(gather_subset) is not given and a tool is missing
  type: dict
  sample:
    nat_rules: nft needs 1.0.2 or newer, found none in PATH or the system directories; install the package nftables
requirements:
  description:
    - For each tool whether it is suitable (C(ok)), the version C(needed), the one C(found), and a C(remedy).
    - C(package) is the package of the host's distribution that has the tool.
  returned: when O(gather_subset) has V(requirements)
  type: dict
  sample:
    ip: {ok: true, needed: any version, found: /usr/sbin/ip, package: iproute2}
    nft: {ok: true, needed: 1.0.2 or newer, found: 1.0.6 in /usr/sbin/nft, package: nftables}
    pyroute2:
      ok: false
      needed: 0.7.2 or newer
      found: none (No module named 'pyroute2')
      remedy: >-
        install the distribution's package of pyroute2 for /usr/bin/python3, or name another ansible_python_interpreter
      package: python3-pyroute2
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
