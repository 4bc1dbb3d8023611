#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: connection_marks
short_description: Keep each connection on its line with connection marks
description:
  - Marks each connection with the line that it comes in by. A line is identified by an interface, or by a gateway on a
    shared LAN. The packets of the replies get the same mark, so that policy rules
    (M(multihome.linux.policy_routing)) send them out by that line. This applies to replies of local processes, to
    replies of containers behind destination NAT, and to forwarded connections.
  - Distributes new connections of the host's own processes over lines by weight (O(balance)).
  - The latest packet from the side that initiated a connection decides. A connection that the host itself initiated
    keeps its line for its whole life, also when the lists change in the meantime.
  - A mark is a set of bits (O(mask)) of the connection's mark and of the packet's mark. The other bits are never
    changed.
  - A reply of a local process is first routed without its mark. A route for it must exist, by any line.
  - The marks of all lists are applied in one transaction, or none is. They stay until the next boot, or until
    another program flushes the whole rule set of the host. With O(persist=true) they are restored.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  # First, for its action group.
  - multihome.linux._confirm
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._attributes.netlink
  - multihome.linux._owner
  - multihome.linux._persist
requirements:
  - nft 1.0.2 or newer (package C(nftables)), or iptables 1.8.7 or newer with ip6tables, on the managed host
options:
  marks:
    description:
      - How the connections of each line are identified.
      - Each entry has O(marks[].in_interface), O(marks[].gateway) or both, or O(marks[].source) alone.
      - Two entries with the same match, O(marks[].gateway) and O(marks[].in_interface) or O(marks[].source), are an
        error, and so is a source within another one. Two entries may set the same mark, as the IPv4 and the IPv6
        gateway of one line do.
      - An entry with a gateway is tried before an entry with only an interface.
      - Without this option, the existing marks stay as they are.
    type: list
    elements: dict
    suboptions:
      mark:
        description: The mark, for example V(1) or V(0x10). It is not zero and has no bits outside O(mask).
        type: str
        required: true
      in_interface:
        description:
          - The interface that the line's connections come in by. It does not need to exist yet.
          - Together with O(marks[].gateway), the interface that the gateway is on. Required when the gateway is
            link-local.
        type: str
      gateway:
        description:
          - The next hop that the line's connections come through, on a link that several lines share.
          - Connections are identified by its hardware address, as found in the kernel's neighbour table. The module
            makes the kernel ask for an address that the table lacks, in check mode too. All gateways together have one
            second to answer.
          - A gateway that does not answer is no failure. The entry is kept, the result names it in RV(unresolved), and
            a later run completes it. A hardware address that was found earlier is kept.
        type: str
      source:
        description:
          - An address or prefix. Packets with a source address in it get the mark, whether the host sends or forwards
            them, unless their connection or process has another mark.
          - It replaces many policy rules by source, each of which the kernel would compare with every packet. One
            look-up serves one source or thousands. With iptables, each source is a rule.
          - A packet of a local process is first routed without its mark. A route for it must exist, by any line.
        type: str
      name:
        description: A label for messages, at most 64 bytes.
        type: str
  balance:
    description:
      - The lines over which new connections of local processes are distributed, exactly by weight.
      - A connection is distributed when its first packet has a source address of O(balance_from). It leaves by the line
        of its mark, with the address in O(balance[].sources) of its family.
      - A process that binds its socket to another address, such as the address of a line, or that marks its packets
        itself, is not affected.
      - Two entries with the same mark are an error.
      - Without this option, the existing distribution stays as it is.
    type: list
    elements: dict
    suboptions:
      mark:
        description: The mark, as in O(marks[].mark).
        type: str
        required: true
      weight:
        description:
          - The line's share, V(0) to V(256).
          - A line of weight V(0) gets no new connections.
        type: int
        default: 1
      sources:
        description:
          - The address that this host has on the line, one of each family. Connections leave with it.
          - A line without an address of a family gets no connections of that family.
        type: list
        elements: str
        required: true
      name:
        description: A label for messages, at most 64 bytes.
        type: str
  balance_from:
    description:
      - The source addresses whose new connections are distributed. O(balance) requires these, or O(balance_networks).
      - A process that does not bind its socket uses the address that the route gives. Set a dedicated source on the
        default routes of the main table, as in the examples. Then exactly those connections are distributed that go
        to the Internet and that no process has bound.
    type: list
    elements: str
    default: []
  balance_exclude:
    description:
      - Destination prefixes whose connections are not distributed. Use it for the LAN, for example, when connections to
        the LAN also have an address of O(balance_from).
      - Only used with O(balance).
    type: list
    elements: str
    default: []
  balance_networks:
    description:
      - Networks behind this host. New connections that their hosts initiate through this host are distributed too, in
        the same shares. Their source is not translated here; M(multihome.linux.nat_rules) does that by the interface.
      - A connection to an address of this host, or to a destination in O(balance_exclude), is not distributed.
    type: list
    elements: str
    default: []
  keep_networks:
    description:
      - Networks behind this host. A connection that one of their hosts initiates through this host keeps the line whose
        O(marks[].in_interface) its first packet left by, also when another line is preferred later.
      - Only used with O(marks).
    type: list
    elements: str
    default: []
  mask:
    description:
      - The bits of the mark that are used, for example V(0xff). Connections that were marked under another mask are not
        recognized under a new one.
    type: str
    default: "0xff"
  backend:
    description:
      - The packet filter to use. V(auto) selects nftables, or iptables where no suitable C(nft) is installed.
      - With V(iptables), new connections are distributed at random by weight, and each line costs every packet one
        rule.
      - When the backend changes on a host that has both, the module moves its own entries to the new one.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  table:
    description:
      - The nftables table of family C(inet) to work in. Only the chains, sets and maps named C(marks_...) belong to
        this module.
      - With iptables, the prefix of its chain names, at most 9 characters.
    type: str
    default: multihome
notes:
  - An address may be V(auto:INTERFACE:ipv4) or V(auto:INTERFACE:ipv6), what another program, such as a DHCP client, has
    assigned to the interface. The keeper follows its changes; see C(docs/auto.md).
  - O(protocol) has no effect here. The objects of this collection are identified by the names of its chains, sets and
    maps.
seealso:
  - module: multihome.linux.policy_routing
  - module: multihome.linux.nat_rules
"""

EXAMPLES = r"""
- name: Identify two firewalls on one LAN by their addresses
  multihome.linux.connection_marks:
    marks:
      - {name: unicom, mark: 1, gateway: 192.168.168.11}
      - {name: "unicom, IPv6", mark: 1, gateway: "fd00:168::11"}
      - {name: interlink, mark: 2, gateway: 192.168.168.12}

- name: Identify three lines of a firewall by their interfaces
  multihome.linux.connection_marks:
    marks:
      - {mark: 1, in_interface: wan0}
      - {mark: 2, in_interface: wan1}
      - {mark: 3, in_interface: ppp0}
    purge: true

- name: Send replies by the line's table
  multihome.linux.policy_routing:
    rules:
      - {priority: 20000, family: ipv4, table: main, suppress_prefix_length: 0}
      - {priority: 20010, family: ipv4, mark: "0x1/0xff", table: 1001}
      - {priority: 20011, family: ipv4, mark: "0x1/0xff", action: unreachable}

- name: Add a dedicated source address for unbound connections (an IPv4 dummy address, RFC 7600)
  multihome.linux.ip_aliases:
    aliases:
      - {address: 192.0.0.8/32, interface: lo}

- name: Use it as the source of unbound connections
  multihome.linux.policy_routing:
    tables:
      - id: 254
        routes:
          - {destination: default, gateway: 192.168.168.11, source: 192.0.0.8}

- name: Send four of five new connections by unicom and one by interlink
  multihome.linux.connection_marks:
    balance:
      - {mark: 1, weight: 4, sources: [192.168.168.1]}
      - {mark: 2, weight: 1, sources: [192.168.168.2]}
    balance_from: [192.0.0.8]

- name: Remove everything
  multihome.linux.connection_marks:
    marks: []
    balance: []
    purge: true
"""

RETURN = r"""
actions:
  description: The changes made, in order. In check mode, the changes that would be made.
  returned: success
  type: list
  elements: dict
  contains:
    op:
      description: One of V(add), V(remove), V(replace).
      type: str
      sample: add
    object:
      description:
        - An entry of O(marks) or of O(balance). An entry whose gateway has a new hardware address is replaced by
          itself. Diff mode shows the address.
        - Its only key is C(mask), C(balance_from), C(balance_exclude), C(balance_networks) or C(keep_networks) when
          that option changed.
        - Its only key is C(table), a text, when another part of the table was missing, changed or foreign.
      type: dict
      sample: {mark: 1, in_interface: wan0}
  sample:
    - op: add
      object: {mark: 1, in_interface: wan0}
before:
  description: The marks before the run, as entries of O(marks).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The marks after the run, as entries of O(marks). In check mode, the marks that a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{mark: 1, in_interface: wan0}]
balance_before:
  description: The lines over which connections were distributed before, as entries of O(balance).
  returned: when O(balance) is given and something changed
  type: list
  elements: dict
  sample: []
balance_after:
  description: The same after the run. In check mode, the state that a run would leave.
  returned: when O(balance) is given and something changed
  type: list
  elements: dict
  sample: [{mark: 1, weight: 4, sources: [192.168.168.1]}]
unresolved:
  description: The entries of O(marks) whose gateway's hardware address was not found, each with the C(reason).
  returned: success
  type: list
  elements: dict
  sample: [{mark: 2, gateway: 192.168.168.12, reason: no answer on eth0}]
backend:
  description: The packet filter in use.
  returned: success
  type: str
  sample: nftables
backend_reason:
  description: Why this packet filter was selected.
  returned: success
  type: str
  sample: auto prefers nftables
"""

from typing import Any

from ansible.module_utils.common.warnings import warn

from ..module_utils._core.converge import Outcome
from ..module_utils._core.entries import Options
from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.filters.selection import BACKENDS
from ..module_utils._core.health.gate import allowed_by_health
from ..module_utils._core.learned.gate import with_references
from ..module_utils._core.marks.engine import MarkEngine
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_TEXT = {"type": "str"}
_TEXTS = {"type": "list", "elements": "str"}
_MARK = {
    "mark": {"type": "str", "required": True},
    **dict.fromkeys(("in_interface", "gateway", "source", "name"), _TEXT),
}
_BALANCE = {
    "mark": {"type": "str", "required": True},
    "weight": {"type": "int", "default": 1},
    "sources": {**_TEXTS, "required": True},
    "name": _TEXT,
}
ARGUMENT_SPEC = {
    "marks": {"type": "list", "elements": "dict", "options": _MARK},
    "balance": {"type": "list", "elements": "dict", "options": _BALANCE},
    "balance_from": {**_TEXTS, "default": []},
    "balance_exclude": {**_TEXTS, "default": []},
    "balance_networks": {**_TEXTS, "default": []},
    "keep_networks": {**_TEXTS, "default": []},
    "mask": {"type": "str", "default": "0xff"},
    "backend": {"type": "str", "choices": ["auto", *BACKENDS], "default": "auto"},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}
SPEC_RULES = {"required_one_of": [("marks", "balance")]}


def remarks(engine: MarkEngine, outcome: Outcome[Any], _check_mode: bool) -> dict[str, Any]:
    """Return the module's own return values; warn of gateways that did not answer."""
    said = engine.remarks(outcome.plan)
    for entry in said["unresolved"]:
        warn(f"mark {entry['mark']}: gateway {entry['gateway']}: {entry['reason']}; a later run completes it")
    return said


def make_engine(options: Options) -> MarkEngine:
    """Return the engine: new connections are spread over the lines that work, see docs/health.md."""
    return with_references(_make_engine, options)


def _make_engine(options: Options) -> MarkEngine:
    return MarkEngine.from_options(options, ask_allowed=allowed_by_health("connection_marks", options))


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        make_engine,
        SPEC_RULES,
        remarks,
        judged=("marks", "balance"),
        stored_as="connection_marks",
    )


if __name__ == "__main__":
    main()
