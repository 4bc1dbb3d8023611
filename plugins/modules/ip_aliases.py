#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_aliases
short_description: IP aliases of a host's interfaces
description:
  - Makes sure that a list of addresses stands on the interfaces of a host, and removes those it put there when they
    leave the list.
  - All of the list is applied, or nothing. When the kernel refuses a step, the steps before it are undone.
  - An address that stands already is satisfied, whoever put it there, and is not taken over.
  - The addresses stand until the next boot, and with O(persist=true) from then on as well.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._attributes.netlink
  - multihome.linux._owner
  - multihome.linux._persist
options:
  aliases:
    description:
      - The addresses that must stand.
      - Two entries with one O(aliases[].interface), address and prefix length are an error. An interface can have an
        IPv6 address only once, whatever its prefix length.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description:
          - The address with its prefix length, for example V(192.168.168.1/24) or V(fd00:168::1/64).
          - Without a length it is one single address, V(/32) or V(/128).
          - Needed in every entry.
        type: str
      interface:
        description:
          - The interface that bears the address. It must exist.
          - Needed in every entry.
        type: str
      label:
        description:
          - The label of an IPv4 address. It begins with the interface's name, as in V(eth0:1).
          - Without it any label will do, and a new address is labelled with its interface.
        type: str
      preferred_lifetime:
        description:
          - V(0) deprecates an IPv6 address. It answers, but is not chosen as source while there is another one.
          - Changed in place, in either direction; the address is never away.
          - No other value, and not for IPv4, where the kernel chooses the first address of a subnet in any case.
        type: raw
      name:
        description: What messages call the entry.
        type: str
  keep_moved:
    description:
      - Whether O(purge) leaves an address that is listed on another interface where it stood as well.
      - Routes by the old interface are of use until the last address there goes. Run again without this once they are
        replaced.
      - Neighbours are told where such an address is now, just before it is removed from its old interface.
    type: bool
    default: false
seealso:
  - module: multihome.linux.policy_routing
  - module: multihome.linux.multihome_info
"""

EXAMPLES = r"""
- name: One alias per line on the web server
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

- name: Exactly these, and none of the ones set earlier
  multihome.linux.ip_aliases:
    aliases:
      - address: 192.168.168.1/24
        interface: eth0
    purge: true

- name: Take away every alias of this collection
  multihome.linux.ip_aliases:
    aliases: []
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
  description: The same after the run. In check mode, what a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{address: 192.168.168.1/24, interface: eth0}]
moved:
  description:
    - The addresses that are listed on another interface and still stand where they stood, as entries of O(aliases).
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ..module_utils._core.routing.alias_engine import AliasEngine
from ..module_utils._module import OWNER_OPTIONS, PERSIST_OPTION, run_engine

ARGUMENT_SPEC = {
    "aliases": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "address": {"type": "str"},
            "interface": {"type": "str"},
            "label": {"type": "str"},
            "preferred_lifetime": {"type": "raw"},  # judged by the engine, which says which entry it is
            "name": {"type": "str"},
        },
    },
    "keep_moved": {"type": "bool", "default": False},
    **OWNER_OPTIONS,
    **PERSIST_OPTION,
}


def main() -> None:
    """Run the module."""
    run_engine(
        ARGUMENT_SPEC,
        AliasEngine.from_options,
        extra=lambda engine, outcome, _check_mode: {
            "moved": [alias.as_input() for alias in engine.moved(outcome.plan.after)]
        },
        judged=("aliases",),
        stored_as="ip_aliases",
    )


if __name__ == "__main__":
    main()
