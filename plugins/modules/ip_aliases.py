#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_aliases
short_description: Manage IP aliases on interfaces
description:
  - Ensures that a list of addresses is configured on the interfaces of a host. With O(purge=true), it removes addresses
    of earlier runs that are no longer in the list.
  - The whole list is applied, or nothing. When the kernel refuses a step, the earlier steps are undone.
  - An address that exists already satisfies its entry, also one of another owner. Its ownership does not change.
  - The addresses stay until the next boot. With O(persist=true), they are configured again at each boot.
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
options:
  aliases:
    description:
      - The addresses that must exist.
      - Two entries with the same O(aliases[].interface), address and prefix length are an error. An interface can have
        an IPv6 address only once, whatever its prefix length.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description:
          - The address with its prefix length, for example V(192.168.168.1/24) or V(fd00:168::1/64).
          - Without a length it is a single address, V(/32) or V(/128).
        type: str
        required: true
      interface:
        description:
          - The interface to configure the address on, by its own name or an alternative one. It must exist, unless
            O(skip_unavailable) is set.
        type: str
        required: true
      label:
        description:
          - The label of an IPv4 address. It begins with the interface's name, as in V(eth0:1).
          - Without it, any existing label is accepted, and a new address gets the interface's name as its label.
        type: str
      preferred_lifetime:
        description:
          - V(0) deprecates an IPv6 address. It still answers, but is not selected as source while another address is
            available.
          - It is changed in place, in either direction. The address is never removed for that.
          - Not allowed for IPv4, where the kernel selects the first address of a subnet in any case.
        type: int
        choices: [0]
      name:
        description: A label for messages.
        type: str
  keep_moved:
    description:
      - Whether O(purge) leaves an address that is now listed on another interface on its old interface too.
      - Routes by the old interface work until the last address there is removed. Run again without this option once
        they are replaced.
      - Neighbours are informed of the new location of such an address just before it is removed from its old
        interface.
    type: bool
    default: false
  skip_unavailable:
    description:
      - Whether addresses of an interface that does not exist are skipped with a warning for each such interface,
        instead of failing. An interface that is down takes its addresses.
      - With O(persist=true) they are stored all the same, and added when the interface appears.
    type: bool
    default: false
  warn_skipped:
    description: Whether what is skipped is a warning, and not only in RV(skipped).
    type: bool
    default: true
  allow_disconnect:
    description:
      - Whether to remove the address by which the controller is connected by ssh. Without it, the module fails, and
        changes nothing.
      - The connection is also found behind C(sudo). Other kinds of connections are not known.
    type: bool
    default: false
seealso:
  - module: multihome.linux.policy_routing
  - module: multihome.linux.multihome_info
"""

EXAMPLES = r"""
- name: Configure one alias per line on the web server
  multihome.linux.ip_aliases:
    aliases:
      - name: unicom
        address: 192.168.168.1/24
        interface: eth0
      - name: unicom, IPv6
        address: fd00:168::1/64
        interface: eth0
      - name: interlink
        address: 192.168.168.2/24
        interface: eth0
        label: "eth0:2"
      - name: answers, but starts nothing
        address: fd00:168::2/64
        interface: eth0
        preferred_lifetime: 0

- name: Keep exactly these, and remove earlier ones
  multihome.linux.ip_aliases:
    aliases:
      - address: 192.168.168.1/24
        interface: eth0
    purge: true

- name: Remove every alias of this collection
  multihome.linux.ip_aliases:
    aliases: []
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
      description: The address, as an entry of O(aliases).
      type: dict
      sample: {address: 192.168.168.1/24, interface: eth0}
  sample:
    - op: add
      object: {address: 192.168.168.1/24, interface: eth0}
before:
  description: The addresses that were listed or owned before, as entries of O(aliases).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The same after the run. In check mode, the state that a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{address: 192.168.168.1/24, interface: eth0}]
moved:
  description:
    - The addresses that are listed on another interface and still exist on their old one, as entries of O(aliases).
  returned: success
  type: list
  elements: dict
  sample: []
skipped:
  description: The addresses that wait for their interface, by interface.
  returned: when O(skip_unavailable=true) and something was skipped
  type: list
  elements: dict
  contains:
    interface:
      description: The interface.
      type: str
      sample: eth1
    reason:
      description: What is wrong with it.
      type: str
      sample: does not exist on this host
    entries:
      description: The entries that wait for it, as messages name them.
      type: list
      elements: str
      sample: ["aliases[2] (interlink)"]
  sample:
    - interface: eth1
      reason: does not exist on this host
      entries: ["aliases[2] (interlink)"]
"""

from ..module_utils._core.routing.alias_engine import AliasEngine
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

ARGUMENT_SPEC = {
    "aliases": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "address": {"type": "str", "required": True},
            "interface": {"type": "str", "required": True},
            "label": {"type": "str"},
            "preferred_lifetime": {"type": "int", "choices": [0]},
            "name": {"type": "str"},
        },
    },
    "keep_moved": {"type": "bool", "default": False},
    "skip_unavailable": {"type": "bool", "default": False},
    "warn_skipped": {"type": "bool", "default": True},
    "allow_disconnect": {"type": "bool", "default": False},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        AliasEngine.from_options,
        extra=lambda engine, outcome, _check_mode: {
            "moved": [alias.as_input() for alias in engine.moved(outcome.plan.after)],
            **engine.remarks(),
        },
        judged=("aliases",),
        stored_as="ip_aliases",
    )


if __name__ == "__main__":
    main()
