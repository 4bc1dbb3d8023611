#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nat_rules
short_description: Destination NAT, source NAT and masquerading
description:
  - Ensures that a list of address translations is configured in a dedicated nftables table, or in dedicated iptables
    chains, with IPv4 and IPv6 in one list.
  - The first entry of the list that matches a connection translates it. With nftables, entries become elements of
    maps. A packet then costs the same with ten entries as with ten thousand, and the order of the list still holds
    exactly. With iptables they are rules, and each one adds to the cost of a packet.
  - A change is one transaction of only the differences, with iptables one per family. All of it is applied, or
    nothing. Counters and established connections of the other entries stay.
  - Tables of other owners are never changed. Neither are objects of other owners within the table or chains. With
    iptables, the only change to other chains is one jump at the top, with the comment C(multihome.linux).
  - Entries that an earlier run wrote to the other backend move to this one. They are removed there as soon as the new
    ones are in place, so that no connection is translated by two lists. Counters of moved entries restart at zero.
  - After a change, translations of other programs that take connections of the entries are warnings.
  - With nftables, the entries are asked before those of iptables, Docker and firewalld, whichever was loaded first.
  - Connections that a firewall itself initiates to one of its own addresses, loopback excepted, are translated like
    incoming ones, by entries without an interface.
  - The translations stay until the next boot, or until another program flushes the whole rule set of the host. With
    O(persist=true) they are restored.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  # First, for its action group.
  - multihome.linux._confirm
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._owner
  - multihome.linux._persist
requirements:
  - nft 1.0.2 or newer, on the managed host (package C(nftables)), or iptables 1.8.7 or newer (package C(iptables))
  - With O(forget_flows), a kernel with C(nf_conntrack_netlink), and for V(masquerade) entries pyroute2
options:
  rules:
    description:
      - The translations, in the order in which they are tried.
      - Two entries with the same family, type and match are an error, and so are overlapping port ranges of the same
        match. A single port may be excepted from a range. The entry that comes first in the list applies to it.
      - At most 100,000 entries.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description:
          - V(dnat) translates the destination of incoming packets to O(rules[].to_address), V(snat) the source of
            outgoing packets. V(masquerade) translates the source to the address of the interface that the packet
            leaves by.
          - V(redirect) translates the destination of incoming packets to this host itself, to O(rules[].to_port) of the
            address of the interface that they arrive by.
          - V(exempt) translates nothing. Connections that match keep their destination and their source address.
            Entries that follow, and other programs whose translations are asked later, do not translate them either.
            With O(rules[].in_interface) it concerns destinations alone, with O(rules[].out_interface) sources alone.
        type: str
        choices: [dnat, snat, masquerade, exempt, redirect]
        required: true
      family:
        description: The address family. Required when the entry has no address.
        type: str
        choices: [ipv4, ipv6]
      protocol:
        description:
          - The protocol to match, V(tcp), V(udp), V(sctp), V(icmp), V(icmpv6), V(gre), V(esp), V(ah), V(any), or a
            number from 1 to 255.
          - Ports require V(tcp), V(udp) or V(sctp). Numbers of IPv6 extension headers, V(ah) among them, cannot be
            matched in IPv6.
        type: str
        default: any
      source:
        description:
          - Match the source address, an address, a prefix, or a range such as V(192.0.2.10-192.0.2.20).
          - Several are separated by commas. With V(!) before the first, all addresses but these match.
          - The entry becomes one entry for each prefix that is needed, and these are reported. A negated IPv4 prefix
            needs as many entries as it is long, V(!10.0.0.0/8) for example eight.
        type: str
      source_port:
        description:
          - Match the source port, for example V(80), V(5000-6000) or V(80,443,5000-6000).
          - Several ports become one entry for each, and these are reported.
        type: str
      destination:
        description: Match the destination address, as in O(rules[].source).
        type: str
      destination_port:
        description: Match the destination port, as in O(rules[].source_port).
        type: str
      in_interface:
        description:
          - Match the interface that the packet came in by. Only for V(dnat), V(redirect) and V(exempt).
          - A name that ends in V(+) or V(*), a wildcard of iptables or nft, is refused. Give one entry for each
            interface.
        type: str
      out_interface:
        description:
          - Match the interface that the packet leaves by. Only for V(snat), V(masquerade) and V(exempt).
          - Wildcards are refused, as in O(rules[].in_interface).
        type: str
      to_address:
        description:
          - The address to translate to. Required for V(dnat) and V(snat).
          - A prefix replaces a prefix of the same length and keeps the host part. It replaces O(rules[].destination)
            for V(dnat), and O(rules[].source) for V(snat).
        type: str
      to_port:
        description:
          - For V(dnat) the port to translate to. All ports of a range may map to one port. A range is as long as
            O(rules[].destination_port), and each port maps to its counterpart. Without it ports are kept.
          - For V(redirect) the local port. Without it ports are kept.
          - For V(snat) and V(masquerade) the source port, or the range of source ports to choose from.
        type: str
      random:
        description:
          - Whether the kernel chooses ports at random, as the flag C(random) of nft and C(--random) of iptables.
          - Not for V(exempt), prefixes, and ranges of ports that map to another range. The entry is a rule of its own.
        type: bool
        default: false
      persistent:
        description:
          - Whether the kernel gives a client the same translation for each connection, as the flag C(persistent) of
            nft and C(--persistent) of iptables.
          - Not for V(exempt), prefixes, and ranges of ports that map to another range. iptables has it for V(dnat)
            and V(snat) only. The entry is a rule of its own.
        type: bool
        default: false
      keeps:
        description:
          - For V(exempt), the only address that is kept. By default both are, or with an interface the one that it
            concerns.
        type: str
        choices: [destination, source]
      name:
        description:
          - A label for messages, at most 128 bytes without quotation marks. It is stored as the comment of the element
            or rule.
        type: str
  backend:
    description:
      - The packet filter to use. V(auto) selects V(nftables), or V(iptables) where no suitable nft is installed.
      - V(iptables) means the variant that the host's C(iptables) is, C(nf_tables) or C(legacy). Where the other variant
        has rules as well, the module fails, because the kernel would apply both.
      - Only nft can read nftables. When nft is no longer installed and a host changes to V(iptables), the old table
        stays until the next boot.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  table:
    description:
      - The name of the nftables table, of family C(inet). It contains everything that this module manages.
      - With iptables, the chains are named after it, C(multihome-destination) and C(multihome-source), and it has at
        most 16 characters.
    type: str
    default: multihome
  forget_flows:
    description:
      - Which connections to delete from the kernel's connection tracking. Their next packets are translated by the
        entries that exist then. All other connections continue.
      - The kernel translates a connection by its first packet. Without this option, a UDP client that keeps sending
        from one port never reaches an entry that is newer than its first packet.
      - V(new) deletes connections that an added or changed entry translates from now on, and that are not translated,
        and those that an exemption kept from their entry until now.
      - V(changed) also deletes connections that an entry created which this run removes or changes, or which another
        entry now precedes. A connection that still goes to the old server moves to the new one.
      - V(none) deletes none. V(true) means V(changed), and V(false) means V(none).
      - Connection tracking does not record the interface of a connection. Where an added entry matches by an interface,
        the interface is the one that the kernel's routes have for the two addresses. Where it is not known, the
        connection continues. When an entry that stays differs only in its interface from one that is removed,
        connections that either entry may have created continue.
      - With O(persist=true), the keeper always acts as with V(new) when it restores entries.
    type: str
    choices: [none, new, changed, "true", "false"]
    default: none
  purge:
    description:
      - Whether to remove existing entries that the list does not contain, and third-party rules between them.
      - With V(false), entries that are not listed stay. They keep their place among the listed entries that they
        overlap with, and come before new ones.
  protocol:
    description:
      - Has no effect here. All modules accept it so that they share the same options. The translations of this
        collection are identified by O(table).
notes:
  - An address may be V(auto:INTERFACE:ipv4) or V(auto:INTERFACE:ipv6), what another program, such as a DHCP client, has
    assigned to the interface. The keeper follows its changes; see C(docs/auto.md).
  - The first packet of each connection is counted and translated. The other packets of the connection follow it.
seealso:
  - module: multihome.linux.multihome_info
  - module: multihome.linux.ip_aliases
"""

EXAMPLES = r"""
- name: Forward the web service of a line to the alias of the line
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
      - name: connections of the server leave with the address of the line
        type: snat
        source: 192.168.168.1
        out_interface: wan0
        to_address: 203.0.113.10
    purge: true

- name: Forward port ranges and a service with restricted sources, in both families
  multihome.linux.nat_rules:
    rules:
      - name: ssh for the office
        type: dnat
        protocol: tcp
        source: 198.51.100.0/24
        destination: 203.0.113.10
        destination_port: 22
        to_address: 192.168.168.1
      - name: media, with unchanged ports
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

- name: Several ports and sources in an entry, a range to one port, and a protocol without ports
  multihome.linux.nat_rules:
    rules:
      - name: web, except for the office
        type: dnat
        protocol: tcp
        source: "!198.51.100.0/24"
        destination: 203.0.113.10
        destination_port: "80,443"
        to_address: 192.168.168.1
      - name: any of these ports reaches the game
        type: dnat
        protocol: udp
        destination: 203.0.113.10
        destination_port: 20000-20099
        to_address: 192.168.168.1
        to_port: 443
      - name: tunnels of two partners
        type: dnat
        protocol: gre
        source: 192.0.2.7,198.51.100.10-198.51.100.20
        destination: 203.0.113.10
        to_address: 192.168.168.1

- name: Translate nothing that goes to the networks behind a VPN
  multihome.linux.nat_rules:
    rules:
      - type: exempt
        destination: 10.9.0.0/16
      - type: masquerade
        family: ipv4
        out_interface: wan0

- name: Lead web requests of the inside to a proxy on this host, except for those to one server
  multihome.linux.nat_rules:
    rules:
      - type: exempt
        protocol: tcp
        destination: 192.0.2.80
        destination_port: 80
        keeps: destination
      - type: redirect
        protocol: tcp
        source: 192.168.168.0/24
        destination_port: 80
        in_interface: lan0
        to_port: 3128

- name: Choose source ports at random
  multihome.linux.nat_rules:
    rules:
      - type: masquerade
        family: ipv4
        out_interface: wan0
        random: true

- name: Translate an IPv6 prefix to another and masquerade IPv4
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

- name: Use iptables, on a host whose other rules use it
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

- name: Move a service to another server, including its established connections
  multihome.linux.nat_rules:
    rules:
      - name: web
        type: dnat
        protocol: tcp
        destination: 203.0.113.10
        destination_port: 80
        to_address: 192.168.168.5
    forget_flows: changed

- name: Remove all translations and the table
  multihome.linux.nat_rules:
    rules: []
    purge: true
"""

RETURN = r"""
backend:
  description: The packet filter in use, V(nftables) or V(iptables).
  returned: success
  type: str
  sample: nftables
backend_reason:
  description: Why this packet filter was selected.
  returned: success
  type: str
  sample: auto prefers nftables
forgotten_flows:
  description: How many connections were deleted from connection tracking. In check mode, how many would be.
  returned: when O(forget_flows) is not V(none)
  type: int
  sample: 3
taken_translations:
  description:
    - Translations of other programs that take, or may take, connections that an entry is for, in the form of
      RV(multihome.linux.multihome_info#module:taken_translations). Each is a warning too.
  returned: when something changed
  type: list
  elements: dict
  sample: []
actions:
  description: The changes made, in order. In check mode, the changes that would be made.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: One of V(add), V(remove), V(replace). An entry that only moves is replaced by itself.
      type: str
      sample: add
    object:
      description:
        - A translation, as an entry of O(rules).
        - Its only key is C(table), a text, for another part of the table or of the chains. Such a part was missing,
          changed or foreign, or is removed because the host moves to the other backend.
      type: dict
      sample: {type: masquerade, family: ipv4, out_interface: wan0}
  sample:
    - op: add
      object: {type: masquerade, family: ipv4, out_interface: wan0}
before:
  description: The translations before the run, as O(rules).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description:
    - The translations after the run, in the order in which they are tried.
    - In check mode, the translations that a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample:
    - {type: masquerade, family: ipv4, out_interface: wan0}
"""

from typing import Any

from ..module_utils._core.converge import Outcome
from ..module_utils._core.entries import Options
from ..module_utils._core.errors import MultihomeError
from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.filters.selection import BACKENDS
from ..module_utils._core.learned.gate import with_references
from ..module_utils._core.nat.engine import FLOW_CHOICES, NatEngine
from ..module_utils._core.nat.model import TYPES
from ..module_utils._core.nat.plan import NatPlan
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_TEXT = {"type": "str"}
_RULE = {
    "type": {"type": "str", "choices": list(TYPES), "required": True},
    "family": {"type": "str", "choices": ["ipv4", "ipv6"]},
    "protocol": {"type": "str", "default": "any"},
    **dict.fromkeys(("source", "source_port", "destination", "destination_port"), _TEXT),
    **dict.fromkeys(("in_interface", "out_interface", "to_address", "to_port", "name"), _TEXT),
    "random": {"type": "bool", "default": False},
    "persistent": {"type": "bool", "default": False},
    "keeps": {"type": "str", "choices": ["destination", "source"]},
}
ARGUMENT_SPEC = {
    "rules": {"type": "list", "elements": "dict", "required": True, "options": _RULE},
    "backend": {"type": "str", "choices": ["auto", *BACKENDS], "default": "auto"},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    "forget_flows": {"type": "str", "choices": [*FLOW_CHOICES, "true", "false"], "default": "none"},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}


def make_engine(options: Options) -> NatEngine:
    """Return the engine: addresses that an ISP assigns are those of this moment, see docs/auto.md."""
    return with_references(NatEngine.from_options, options)


def extra(engine: NatEngine, outcome: Outcome[NatPlan], check_mode: bool) -> dict[str, Any]:
    """Return the results besides those of every list; with a change, also what other programs translate first."""
    answer: dict[str, Any] = {
        "backend": engine.selection.name,
        "backend_reason": engine.selection.reason,
        **engine.flush_flows(outcome.plan, check_mode),
    }
    if not outcome.changed:
        return answer
    try:
        taken = engine.taken(outcome.plan)
    except (MultihomeError, OSError) as error:
        return {**answer, "warnings": [f"translations of other programs are not known: {error}"]}
    answer["taken_translations"] = [one.as_result() for one in taken]
    warnings = [f"{one.place}: {one.message}; remedy: {one.remedy}" for one in taken]
    return {**answer, "warnings": warnings} if warnings else answer


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        make_engine,
        extra=extra,
        judged=("rules",),
        stored_as="nat_rules",
    )


if __name__ == "__main__":
    main()
