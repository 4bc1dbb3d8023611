#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nat_rules
short_description: Destination NAT, source NAT and masquerading
description:
  - Makes sure that a list of address translations stands in an nftables table of its own, or in iptables chains of
    their own, IPv4 and IPv6 in one list.
  - The first entry of the list that matches a connection translates it. With nftables, entries become elements of
    maps, so a packet costs the same with ten entries as with ten thousand, and the order of the list still holds
    exactly. With iptables they are rules, and a packet costs more with each.
  - A change is one transaction of only what differs, with iptables one for each family. All of it is applied, or
    nothing. Counters and established connections of the other entries stay.
  - Nothing of other people's tables is written, and within the table or chains nothing that is not this module's. With
    iptables, other chains only get a jump to ours, in front, whose comment is C(multihome.linux).
  - What an earlier run put into the other backend moves to this one. Its objects there are removed as soon as the new
    ones stand, so that nothing is translated by two lists. Moved entries count anew.
  - Connections that a firewall itself opens to one of its own addresses, loopback excepted, are translated like those
    that come in, by entries without an interface.
  - The translations stand until the next boot, or until somebody flushes the whole rule set of the host. With
    O(persist=true) they are put back.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._owner
  - multihome.linux._persist
requirements:
  - nft 1.0.2 or newer, on the managed host (package C(nftables)), or iptables 1.8.7 or newer (package C(iptables))
  - With O(forget_flows=true), a kernel with C(nf_conntrack_netlink), and for V(masquerade) entries pyroute2
options:
  rules:
    description:
      - The translations, in the order in which they are tried.
      - Two entries with one family, type and match are an error, and so are overlapping ranges of ports of one match. A
        single port may be taken out of a range; whichever entry comes first in the list has it.
      - At most 100,000 entries.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description:
          - V(dnat) translates the destination of what comes in, V(snat) the source of what leaves, to
            O(rules[].to_address). V(masquerade) translates the source to the address of the interface that the packet
            leaves by.
          - Needed in every entry.
        type: str
      family:
        description: V(ipv4) or V(ipv6); needed when no address of the entry tells.
        type: str
      protocol:
        description: V(tcp), V(udp), V(sctp) or V(any). Ports need one of the first three. Default V(any).
        type: str
      source:
        description: Match the source address, an address or a prefix.
        type: str
      source_port:
        description: Match the source port, for example V(80) or V(5000-6000).
        type: str
      destination:
        description: Match the destination address, an address or a prefix.
        type: str
      destination_port:
        description: Match the destination port, for example V(80) or V(5000-6000).
        type: str
      in_interface:
        description: Match the interface that the packet came in by. Only for V(dnat).
        type: str
      out_interface:
        description: Match the interface that the packet leaves by. Only for V(snat) and V(masquerade).
        type: str
      to_address:
        description:
          - The address to translate to. Needed for V(dnat) and V(snat).
          - A prefix translates a prefix of the same length and keeps the host part, O(rules[].destination) of V(dnat),
            O(rules[].source) of V(snat).
        type: str
      to_port:
        description:
          - For V(dnat) the port to translate to. A range is as long as O(rules[].destination_port), and each port goes
            to its counterpart. Without it ports are kept.
          - For V(snat) and V(masquerade) the source port, or the range of source ports to choose from.
        type: str
      name:
        description:
          - What messages call the entry, at most 128 bytes without quotation marks. It is kept as the comment of the
            element or rule.
        type: str
  backend:
    description:
      - What translates. V(auto) is V(nftables), and V(iptables) where no fit nft is installed.
      - V(iptables) means whichever variant the host's C(iptables) is, C(nf_tables) or C(legacy). Where the other
        variant holds rules as well, the module fails, because the kernel would obey both.
      - Only nft sees what stands in nftables. Where it is not installed any more, a host that is moved to V(iptables)
        keeps the old table until its next boot.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  table:
    description:
      - The name of the nftables table, of family C(inet). All that this module manages is in it.
      - With iptables, the chains are called by it, C(multihome-destination) and C(multihome-source), and it has at most
        16 characters.
    type: str
    default: multihome
  forget_flows:
    description:
      - Whether connections end that entries made which the run removes or changes. With V(false) they go on as they
        were translated, until they end by themselves.
      - Just these connections are dropped from the kernel's connection tracking. What comes in of them later is
        translated anew, by the entries that stand then.
      - Connection tracking does not know by which interface a connection came. Where another entry that stays differs
        in nothing but that, the connections that either may have made go on.
    type: bool
    default: false
  purge:
    description:
      - Whether to remove the entries that stand and that the list does not name, and what others put between them.
      - With V(false), what is not listed stays. It keeps its place among the listed entries that it overlaps, and comes
        before those that are new.
  protocol:
    description:
      - Without effect here, and accepted so that all modules take the same options. What this collection translates is
        told by O(table).
notes:
  - The first packet of each connection is counted and translated; the other packets of the connection follow it.
seealso:
  - module: multihome.linux.multihome_info
  - module: multihome.linux.ip_aliases
"""

EXAMPLES = r"""
- name: Forward the web service of a line to the alias that stands for the line
  multihome.linux.nat_rules:
    rules:
      - name: web
        type: dnat
        protocol: tcp
        destination: 203.0.113.10
        destination_port: 80
        to_address: 192.168.168.1
      - name: web over TLS, on another port inside
        type: dnat
        protocol: tcp
        destination: 203.0.113.10
        destination_port: 443
        to_address: 192.168.168.1
        to_port: 8443
      - name: what the server starts leaves with the address of the line
        type: snat
        source: 192.168.168.1
        out_interface: wan0
        to_address: 203.0.113.10
    purge: true

- name: Ranges of ports, a service for a few sources only, both families
  multihome.linux.nat_rules:
    rules:
      - name: ssh for the office
        type: dnat
        protocol: tcp
        source: 198.51.100.0/24
        destination: 203.0.113.10
        destination_port: 22
        to_address: 192.168.168.1
      - name: media, ports kept
        type: dnat
        protocol: udp
        destination: 203.0.113.10
        destination_port: 5000-6000
        to_address: 192.168.168.1
      - name: each port to its counterpart
        type: dnat
        protocol: tcp
        destination: "2001:db8:a::10"
        destination_port: 7000-7010
        to_address: "fd00:168::1"
        to_port: 9000-9010

- name: An IPv6 prefix for another, host part kept, and IPv4 masquerading
  multihome.linux.nat_rules:
    rules:
      - type: snat
        source: "fd00:168::/64"
        out_interface: wan0
        to_address: "2001:db8:a::/64"
      - type: dnat
        destination: "2001:db8:a::/64"
        to_address: "fd00:168::/64"
      - type: masquerade
        family: ipv4
        out_interface: wan0

- name: The same with iptables, on a host whose other rules are written with it
  multihome.linux.nat_rules:
    backend: iptables
    rules:
      - name: web
        type: dnat
        protocol: tcp
        destination: 203.0.113.10
        destination_port: 80
        to_address: 192.168.168.1
      - name: each port to its counterpart
        type: dnat
        protocol: tcp
        destination: "2001:db8:a::10"
        destination_port: 7000-7010
        to_address: "fd00:168::1"
        to_port: 9000-9010
      - type: masquerade
        family: ipv4
        out_interface: wan0

- name: Send a service to another server at once, also the connections that it has
  multihome.linux.nat_rules:
    rules:
      - name: web
        type: dnat
        protocol: tcp
        destination: 203.0.113.10
        destination_port: 80
        to_address: 192.168.168.5
    forget_flows: true

- name: Take all translations away, with the table
  multihome.linux.nat_rules:
    rules: []
    purge: true
"""

RETURN = r"""
backend:
  description: What translates on this host, V(nftables) or V(iptables).
  returned: success
  type: str
  sample: nftables
backend_reason:
  description: Why that was chosen.
  returned: success
  type: str
  sample: auto prefers nftables
forgotten_flows:
  description: How many connections were dropped from connection tracking. In check mode, how many would be.
  returned: when O(forget_flows=true)
  type: int
  sample: 3
actions:
  description: What was done, in order. In check mode, what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: One of V(add), V(remove), V(replace). An entry that only changes its place is replaced by itself.
      type: str
      sample: add
    object:
      description:
        - A translation, as an entry of O(rules).
        - Its only key is C(table), a text, when it is no entry but another part of the table or of the chains, which
          was missing, changed or foreign, or is left because the host moves to the other backend.
      type: dict
      sample: {type: masquerade, family: ipv4, out_interface: wan0}
  sample:
    - op: add
      object: {type: masquerade, family: ipv4, out_interface: wan0}
before:
  description: The translations that stood before, as O(rules).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description:
    - The translations that stand after the run, in the order in which they are tried.
    - In check mode, what a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample:
    - {type: masquerade, family: ipv4, out_interface: wan0}
"""

from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.filters.selection import BACKENDS
from ..module_utils._core.nat.engine import NatEngine
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_RULE = {
    # Text alone: what it means is judged by the engine, which says which entry it is and goes on to the next fault.
    name: {"type": "str"}
    for name in (
        *("type", "family", "protocol", "source", "source_port", "destination", "destination_port"),
        *("in_interface", "out_interface", "to_address", "to_port", "name"),
    )
}
ARGUMENT_SPEC = {
    "rules": {"type": "list", "elements": "dict", "required": True, "options": _RULE},
    "backend": {"type": "str", "choices": ["auto", *BACKENDS], "default": "auto"},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    "forget_flows": {"type": "bool", "default": False},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        NatEngine.from_options,
        extra=lambda engine, outcome, check_mode: {
            "backend": engine.backend.name,
            "backend_reason": engine.choice.reason,
            **engine.forget(outcome.plan, check_mode),
        },
        judged=("rules",),
        stored_as="nat_rules",
    )


if __name__ == "__main__":
    main()
