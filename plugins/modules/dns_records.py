#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_records
short_description: Publish the lines' addresses as DNS record sets
description:
  - Ensures that each listed domain has exactly the listed A and AAAA records, by a dynamic update (RFC 2136) with a
    TSIG key at the zone's primary server.
  - All addresses of one family of a domain are one object, the record set. All sets that differ are replaced in one
    update, which is accepted as a whole or not at all, and which the server refuses if a set changed since it was read.
  - The sets are read first. When they are as listed, no update is sent, so that the zone's serial number stays. After
    an update they are read again.
  - A wildcard of the zone, of addresses or an alias, that answers for a listed domain is named in RV(overridden) and in
    a warning before the domain gets a set of its own.
  - Records of other types and of other names are never touched. Addresses of another owner in a listed set are named in
    RV(replaced) and in a warning, in check mode too, and are replaced.
  - Where C(multihome-keeper) judges the lines of this host, the addresses of lines that are down or drained are left
    out, as the keeper does. A set never becomes empty.
  - The host needs a route to the primary server, and the server must accept updates by TCP from it.
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
  - multihome.linux._persist
options:
  zone:
    description:
      - The zone, for example V(svc.example.com).
    type: str
    required: true
  servers:
    description:
      - The addresses of the zone's primary server. The first one that answers gets the update.
    type: list
    elements: str
    required: true
  port:
    description:
      - The port of the primary server.
    type: int
    default: 53
  key_name:
    description:
      - The name of the TSIG key that the server accepts for updates of these names, and of the TXT records of
        C(_multihome) below them where O(publisher) is set.
      - To replace a key without a gap, add a key of another name to the server, run with it, and then remove the old
        one from the server.
      - Without a key, the server has to trust the source address.
    type: str
    default: ""
  key_algorithm:
    description:
      - The algorithm of the key.
    type: str
    choices: [hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224, hmac-sha1, hmac-md5]
    default: hmac-sha256
  key_secret:
    description:
      - The secret of the key in base64, as C(tsig-keygen) prints it. Keep it in Ansible Vault.
      - With O(persist=true) it is kept in C(/etc/multihome/keys), readable by root only. The stored state contains the
        name of the key, not its secret.
      - Without it, the secret is read from that file.
    type: str
  records:
    description:
      - The record sets. All faults of the list are reported together.
    type: list
    elements: dict
    required: true
    suboptions:
      domain:
        description:
          - The domain name, in O(zone).
        type: str
        required: true
      addresses:
        description:
          - The addresses of both families. IPv4 addresses become the A records of the domain, IPv6 addresses its AAAA
            records.
          - An entry is an address, or a dictionary of C(address) and C(line), the name of the line that leads to it.
          - An address that an ISP assigns is written as a reference to the interface of this host that has it,
            V(auto:ppp0:ipv4) or V(auto:ppp0:ipv6). Where another host has the interface, it is written as a name in
            O(zone) that the other host publishes. Such an entry may have a C(family), V(ipv4) or V(ipv6).
          - C(multihome-keeper) publishes such addresses again when they change. While there is no address of a family,
            the records of that family stay as they are.
          - Without any address of a family, the records of that family stay as they are.
        type: list
        elements: raw
        required: true
      ttl:
        description:
          - How many seconds resolvers may keep an answer.
        type: int
        default: 60
      name:
        description: A label for messages.
        type: str
  sources:
    description:
      - The addresses of this host that updates may leave from, in order. Where a server does not answer within a
        second, the next source is tried.
      - An entry is an address, or a dictionary of C(address), C(line), the line that the address belongs to, and
        C(mark), for a host on which one address stands for several lines. The keeper tries the sources of usable lines
        first.
      - An address may be a reference, as in O(records).
      - Without any, the host's routes decide.
    type: list
    elements: raw
    default: []
  empty_family:
    description:
      - What happens to the records of a family when no line serves it, while the other family is served.
      - With V(keep), they stay as they are. With V(drop), they are removed until a line serves the family again.
    type: str
    choices: [keep, drop]
    default: keep
  publisher:
    description:
      - The name of this host among several hosts that publish the same domains. Set it on all of them.
      - One of the keepers publishes. It renews a lease, a TXT record of C(_multihome) below each domain, every 30
        seconds. When it has not for 75 seconds, another one takes over.
      - Leave it out where only this host publishes.
    type: str
    default: ""
  purge:
    description:
      - Whether to remove record sets that this host published earlier and that O(records) does not contain.
    type: bool
    default: false
  withdraw:
    description:
      - Whether O(purge=true) removes these record sets from the zone, with the lease of their domain.
      - With V(false) the records stay, and only this host does not publish them any more. The server is not asked for
        them. Use it where other hosts publish the same domains, or where the server is gone.
    type: bool
    default: true
requirements:
  - python3-dnspython of the distribution, 2.1 or newer, on the managed host
  - pyroute2 for references to interfaces
seealso:
  - module: community.general.nsupdate
  - module: multihome.linux.keeper
"""

EXAMPLES = r"""
- name: Publish both lines of the web server
  multihome.linux.dns_records:
    zone: svc.example.com
    servers: [192.0.2.53]
    key_name: multihome-web1
    key_secret: "{{ vault_dns_key }}"
    records:
      - domain: www.svc.example.com
        addresses:
          - address: 203.0.113.10
            line: unicom
          - address: 198.51.100.20
            line: interlink
          - "2001:db8:a::10"
    sources:
      - address: 192.168.168.1
        line: unicom
      - address: 192.168.168.2
        line: interlink
    persist: true

- name: Stop publishing
  multihome.linux.dns_records:
    zone: svc.example.com
    servers: [192.0.2.53]
    key_name: multihome-web1
    records: []
    purge: true
    persist: true
"""

RETURN = r"""
actions:
  description:
    - The changes made, in order. In check mode, the changes that would be made.
    - The object is a record set as an entry of O(records), or the C(file) of a key.
  returned: success
  type: list
  elements: dict
  sample:
    - op: add
      object: {domain: www.svc.example.com, addresses: [198.51.100.20, 203.0.113.10], ttl: 60}
before:
  description: The listed or earlier published sets before the run, as entries of O(records).
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The same after the run. In check mode, the state that a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{domain: www.svc.example.com, addresses: [198.51.100.20, 203.0.113.10], ttl: 60}]
replaced:
  description: The addresses of other owners that were in a listed set and are replaced. In check mode, that would be.
  returned: success
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: www.svc.example.com
    type:
      description: V(A) or V(AAAA).
      type: str
      sample: A
    addresses:
      description: The addresses.
      type: list
      elements: str
      sample: [192.0.2.99]
  sample: [{domain: www.svc.example.com, type: A, addresses: [192.0.2.99]}]
overridden:
  description:
    - The wildcards of the zone that answered until now for a set that is added. The wildcard itself is not changed.
  returned: success
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: www.svc.example.com
    type:
      description: V(A) or V(AAAA).
      type: str
      sample: A
    wildcard:
      description: The wildcard.
      type: str
      sample: "*.svc.example.com"
  sample: [{domain: www.svc.example.com, type: A, wildcard: "*.svc.example.com"}]
withdrawn:
  description: The listed addresses that are not published now because their line is not in service.
  returned: success
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: www.svc.example.com
    address:
      description: The address.
      type: str
      sample: 203.0.113.10
    line:
      description: Its line.
      type: str
      sample: unicom
  sample: []
"""

from typing import Any

from ..module_utils._core.converge import Outcome
from ..module_utils._core.dns.engine import DnsEngine
from ..module_utils._core.dns.set_plan import DnsPlan
from ..module_utils._core.entries import Options
from ..module_utils._core.health.published import lines_in_service
from ..module_utils._core.reference_texts import references
from ..module_utils._module import PERSIST_OPTION, run_engine

ARGUMENT_SPEC: dict[str, Any] = {
    "zone": {"type": "str", "required": True},
    "servers": {"type": "list", "elements": "str", "required": True},
    "port": {"type": "int", "default": 53},
    "key_name": {"type": "str", "default": "", "no_log": False},
    "key_algorithm": {
        "type": "str",
        "choices": ["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1", "hmac-md5"],
        "default": "hmac-sha256",
    },
    "key_secret": {"type": "str", "no_log": True},
    "records": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "domain": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "raw", "required": True},
            "ttl": {"type": "int", "default": 60},
            "name": {"type": "str"},
        },
    },
    "sources": {"type": "list", "elements": "raw", "default": []},
    "empty_family": {"type": "str", "choices": ["keep", "drop"], "default": "keep"},
    "publisher": {"type": "str", "default": ""},
    "purge": {"type": "bool", "default": False},
    "withdraw": {"type": "bool", "default": True},
    **PERSIST_OPTION,
}


def make_engine(options: Options) -> DnsEngine:
    """Return the engine, which leaves out the lines that the keeper has found down."""
    assigned = None
    if references(options):
        # Loaded only where it is needed: it needs pyroute2.
        from ..module_utils._core.learned.host_addresses import HostAddresses  # noqa: PLC0415 - as said

        assigned = HostAddresses()
    return DnsEngine.from_options(options, lines_in_service(), assigned)


def remarks(engine: DnsEngine, outcome: Outcome[DnsPlan], _check_mode: bool) -> dict[str, Any]:
    """Return the replaced addresses of other owners, with a warning each, and the withdrawn ones."""
    replaced = [
        {"domain": domain, "type": kind, "addresses": list(values)}
        for (domain, kind), values in outcome.plan.foreign.items()
    ]
    warnings = [
        f"{each['domain']}: {each['type']} {', '.join(each['addresses'])} of another owner is replaced"
        for each in replaced
    ]
    overridden = [
        {"domain": domain, "type": kind, "wildcard": wildcard}
        for (domain, kind), wildcard in outcome.plan.overridden.items()
    ]
    warnings += [
        f"{each['domain']}: {each['wildcard']} has answered for it; its own {each['type']} records take precedence"
        for each in overridden
    ]
    return {
        "replaced": replaced,
        "overridden": overridden,
        "withdrawn": engine.withdrawn(outcome.plan),
        **({"warnings": warnings} if warnings else {}),
    }


def main() -> None:
    """Run the module."""
    run_engine(ARGUMENT_SPEC, make_engine, extra=remarks, judged=("records",), stored_as="dns_records")


if __name__ == "__main__":
    main()
