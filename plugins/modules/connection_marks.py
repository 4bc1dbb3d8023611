#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: connection_marks
short_description: Remember the line of each connection
description:
  - Marks each connection with the line it comes in by, known by an interface or by a gateway on a shared LAN, and marks
    the packets of its replies, so that policy rules (M(multihome.linux.policy_routing)) send them out by that line.
    This holds for replies of local processes, of containers behind destination NAT, and for forwarded connections.
  - Spreads new connections of the host's own processes over lines by weight (O(balance)).
  - The latest packet of the one who began a connection decides. A connection that the host began itself keeps its line
    as long as it lives, also when the lists change meanwhile.
  - A mark is some bits (O(mask)) of the connection's and the packet's mark. The other bits are never touched.
  - A reply of a local process is first routed without its mark. There must be a route for it, by whichever line.
  - The marks of all lists are applied in one transaction, or nothing is. They stand until the next boot, or until
    somebody flushes the whole rule set of the host. With O(persist=true) they are put back.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
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
      - By what the connections of each line are known.
      - Two entries with one match, O(marks[].gateway) and O(marks[].in_interface) or O(marks[].source), are an error,
        and so is a source within another one. Two entries may give the same mark, as the IPv4 and the IPv6 gateway of
        one line do.
      - An entry with a gateway is tried before one with an interface alone.
      - Left out, the marks that stand are left alone.
    type: list
    elements: dict
    suboptions:
      mark:
        description:
          - The mark, for example V(1) or V(0x10). It is not zero and has no bits outside O(mask).
          - Needed in every entry.
        type: str
      in_interface:
        description:
          - The interface that the line's connections come in by. It need not exist yet.
          - Together with O(marks[].gateway), the interface that the gateway is on; needed when that is link-local.
        type: str
      gateway:
        description:
          - The next hop that the line's connections come through, on a link that several lines share.
          - Connections are known by its hardware address, as the kernel's neighbour table has it. What the table does
            not hold is asked for, in check mode too; all gateways together have one second to answer.
          - A gateway that does not answer fails nothing. The entry is kept, the result names it in RV(unresolved), and
            a later run completes it; what was learned of it before is kept.
        type: str
      source:
        description:
          - An address or prefix. What carries an address of it, and belongs to no connection or process that is marked
            otherwise, has the mark, whether the host sends or forwards it.
          - In place of many policy rules by source, each of which every packet would be held against. It takes one
            look-up for one source as for thousands; with iptables a rule each.
          - A packet of a local process is first routed without its mark. There must be a route for it, by whichever
            line.
        type: str
      name:
        description: What messages call the entry; at most 64 bytes.
        type: str
  balance:
    description:
      - The lines over which new connections of local processes are spread, exactly by weight.
      - A connection is spread when it begins with an address of O(balance_from). It leaves by the line of its mark,
        with the address of O(balance[].sources) of its family.
      - A process that binds its socket to another address, such as a line's own, or marks its packets itself, is left
        alone.
      - Two entries with one mark are an error.
      - Left out, the spreading that stands is left alone.
    type: list
    elements: dict
    suboptions:
      mark:
        description:
          - The mark, as in O(marks[].mark).
          - Needed in every entry.
        type: str
      weight:
        description:
          - The line's share, V(0) to V(256), default V(1).
          - A line of weight V(0) gets no new connections.
        type: str
      sources:
        description:
          - The address that this host has on the line, one of each family. Connections leave with it.
          - A line without an address of a family gets no connections of it.
          - Needed in every entry.
        type: list
        elements: str
      name:
        description: What messages call the entry; at most 64 bytes.
        type: str
  balance_from:
    description:
      - The source addresses whose new connections are spread. Needed for O(balance).
      - A process that binds its socket to no address begins with the one that the route gives. Give the default routes
        of the main table a source of their own, as in the examples, and exactly what no process binds and what goes to
        the Internet is spread.
    type: list
    elements: str
    default: []
  balance_exclude:
    description:
      - Prefixes to which connections are not spread, for example the LAN's when O(balance_from) is an address that
        connections to the LAN have too.
      - Only used with O(balance).
    type: list
    elements: str
    default: []
  mask:
    description:
      - The bits of the mark that are used, for example V(0xff). Lines already marked under another mask are not known
        under a new one.
    type: str
    default: "0xff"
  backend:
    description:
      - The packet filter to use. V(auto) takes nftables, or iptables where there is no fit C(nft).
      - With V(iptables) new connections are spread by chance, and a packet costs one rule per line.
      - Where the host has both, what the other one keeps of this module's is moved.
    type: str
    choices: [auto, nftables, iptables]
    default: auto
  table:
    description:
      - The nftables table of family C(inet) to work in. Only its chains, sets and maps named C(marks_...) are this
        module's.
      - With iptables, what the names of its chains begin with, at most 9 characters.
    type: str
    default: multihome
notes:
  - O(protocol) has no effect here. What belongs to this collection is known by the names of its chains, sets and maps.
seealso:
  - module: multihome.linux.policy_routing
  - module: multihome.linux.nat_rules
"""

EXAMPLES = r"""
- name: Two firewalls on one LAN, known by their addresses
  multihome.linux.connection_marks:
    marks:
      - {name: unicom, mark: 1, gateway: 192.168.168.11}
      - {name: "unicom, IPv6", mark: 1, gateway: "fd00:168::11"}
      - {name: interlink, mark: 2, gateway: 192.168.168.12}

- name: A firewall with three lines, known by their interfaces
  multihome.linux.connection_marks:
    marks:
      - {mark: 1, in_interface: wan0}
      - {mark: 2, in_interface: wan1}
      - {mark: 3, in_interface: ppp0}
    purge: true

- name: Replies go by the line's table
  multihome.linux.policy_routing:
    rules:
      - {priority: 20000, family: ipv4, table: main, suppress_prefix_length: 0}
      - {priority: 20010, family: ipv4, mark: "0x1/0xff", table: 1001}
      - {priority: 20011, family: ipv4, mark: "0x1/0xff", action: unreachable}

- name: A source of its own for what no process binds (an IPv4 dummy address, RFC 7600)
  multihome.linux.ip_aliases:
    aliases:
      - {address: 192.0.0.8/32, interface: lo}

- name: What no process binds begins with it
  multihome.linux.policy_routing:
    tables:
      - id: 254
        routes:
          - {destination: default, gateway: 192.168.168.11, source: 192.0.0.8}

- name: Of five connections of this host, four leave by unicom and one by interlink
  multihome.linux.connection_marks:
    balance:
      - {mark: 1, weight: 4, sources: [192.168.168.1]}
      - {mark: 2, weight: 1, sources: [192.168.168.2]}
    balance_from: [192.0.0.8]

- name: Take everything away
  multihome.linux.connection_marks:
    marks: []
    balance: []
    purge: true
"""

RETURN = r"""
actions:
  description: What was done, in order. In check mode, what would be done.
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
          itself; diff mode shows the address.
        - Its only key is C(mask), C(balance_from) or C(balance_exclude) when that option changed.
        - Its only key is C(table), a text, when a part that is no entry was missing, changed or foreign.
      type: dict
      sample: {mark: 1, in_interface: wan0}
  sample:
    - op: add
      object: {mark: 1, in_interface: wan0}
before:
  description: The marks that stood before, as entries of O(marks).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The marks that stand after the run, as entries of O(marks). In check mode, what a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{mark: 1, in_interface: wan0}]
balance_before:
  description: The lines that connections were spread over before, as entries of O(balance).
  returned: when O(balance) is given and something changed
  type: list
  elements: dict
  sample: []
balance_after:
  description: The same after the run. In check mode, what a run would leave.
  returned: when O(balance) is given and something changed
  type: list
  elements: dict
  sample: [{mark: 1, weight: 4, sources: [192.168.168.1]}]
unresolved:
  description: The entries of O(marks) whose gateway did not tell its hardware address, each with the C(reason).
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
  description: Why it is this one.
  returned: success
  type: str
  sample: auto prefers nftables
"""

from typing import Any

from ansible.module_utils.common.warnings import warn

from ..module_utils._core.converge import Outcome
from ..module_utils._core.filters.nftables import DEFAULT_TABLE
from ..module_utils._core.filters.selection import BACKENDS
from ..module_utils._core.marks.engine import MarkEngine
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

_TEXT = {"type": "str"}
_TEXTS = {"type": "list", "elements": "str"}
ARGUMENT_SPEC = {
    "marks": {
        "type": "list",
        "elements": "dict",
        # Text alone: what it means is judged by the engine, which says which entry it is and goes on.
        "options": {"mark": _TEXT, "in_interface": _TEXT, "gateway": _TEXT, "source": _TEXT, "name": _TEXT},
    },
    "balance": {
        "type": "list",
        "elements": "dict",
        "options": {"mark": _TEXT, "weight": _TEXT, "sources": _TEXTS, "name": _TEXT},
    },
    "balance_from": {**_TEXTS, "default": []},
    "balance_exclude": {**_TEXTS, "default": []},
    "mask": {"type": "str", "default": "0xff"},
    "backend": {"type": "str", "choices": ["auto", *BACKENDS], "default": "auto"},
    "table": {"type": "str", "default": DEFAULT_TABLE},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}
SPEC_RULES = {"required_one_of": [("marks", "balance")]}


def remarks(engine: MarkEngine, outcome: Outcome, _check_mode: bool) -> dict[str, Any]:
    """Return what the result says besides; gateways without an answer are warned of."""
    said = engine.remarks(outcome.plan)
    for entry in said["unresolved"]:
        warn(f"mark {entry['mark']}: gateway {entry['gateway']}: {entry['reason']}; a later run completes it")
    return said


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        MarkEngine.from_options,
        SPEC_RULES,
        remarks,
        judged=("marks", "balance"),
        stored_as="connection_marks",
    )


if __name__ == "__main__":
    main()
