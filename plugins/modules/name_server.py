#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: name_server
short_description: Run a name server for zones on a line
description:
  - Runs Knot DNS as C(multihome-dns.service) with the listed zones. It answers at the addresses of lines, port 53, and
    takes updates with a TSIG key from this host only, at 127.0.0.1, port 5305.
  - It is an instance of its own. The configuration, the zones and the service of the distribution are not touched.
  - Its files are in C(/etc/multihome/name_server), readable by root only. The service copies them to where its user can
    read them.
  - A server that runs reads changed files without a restart, unless its addresses changed. The module waits until the
    server answers for each zone.
  - Fails, in check mode too, when another program has one of its ports, and names the program.
  - While the keeper of this host still publishes a zone with a key of another name, the server accepts that key too.
    The first run after M(multihome.linux.dns_records) has stored the new one removes the old key from the server.
  - On a host without systemd, that host's service manager has to run C(knotd -c
    /etc/multihome/name_server/knot.conf).
author:
  - multihome.linux contributors (@multihome)
extends_documentation_fragment:
  - multihome.linux._attributes
  - multihome.linux._attributes.full
options:
  listen:
    description:
      - The addresses of this host that clients ask, without prefix length. An address that is configured later is used
        from then on.
    type: list
    elements: str
    default: []
  zones:
    description:
      - The zones. Without any, the server and its files are removed.
    type: list
    elements: dict
    required: true
    suboptions:
      zone:
        description: The zone.
        type: str
        required: true
      key_name:
        description: The name of the TSIG key for updates.
        type: str
        required: true
      key_algorithm:
        description: The algorithm of the key.
        type: str
        choices: [hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224, hmac-sha1, hmac-md5]
        default: hmac-sha256
      nameservers:
        description: The name servers on the lines, this one included. Their names are in the zone.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: The name.
            type: str
            required: true
          addresses:
            description: The addresses under which the Internet knows it.
            type: list
            elements: str
            required: true
      secondaries:
        description:
          - Name servers elsewhere. They are listed in the zone, are notified of changes, and may transfer it.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The name.
            type: str
            required: true
          addresses:
            description: The addresses that it transfers the zone from.
            type: list
            elements: str
            required: true
      records:
        description:
          - The record sets that a started server answers with until the keeper publishes, as in
            M(multihome.linux.dns_records).
        type: list
        elements: dict
        default: []
        suboptions:
          domain:
            description: The domain name, in the zone.
            type: str
            required: true
          addresses:
            description: The addresses, each as text or as a dictionary of C(address) and C(line).
            type: list
            elements: raw
            required: true
          ttl:
            description: How many seconds resolvers may keep an answer.
            type: int
            default: 60
  key_secrets:
    description:
      - The secrets of the keys in base64, by name. Keep them in Ansible Vault.
      - A secret that is left out is read from C(/etc/multihome/keys).
    type: dict
    default: {}
requirements:
  - Knot DNS of the distribution, and python3-dnspython 2.1 or newer, on the managed host
seealso:
  - module: multihome.linux.dns_records
  - module: multihome.linux.keeper
"""

EXAMPLES = r"""
- name: Answer for the zone on this firewall's line
  multihome.linux.name_server:
    listen: [203.0.113.10]
    zones:
      - zone: svc.example.com
        key_name: multihome-web1
        nameservers:
          - {name: ns-a.svc.example.com, addresses: [203.0.113.10]}
          - {name: ns-b.svc.example.com, addresses: [198.51.100.20]}
        secondaries:
          - {name: ns.example.net, addresses: [192.0.2.53]}
        records:
          - {domain: www.svc.example.com, addresses: [203.0.113.10, 198.51.100.20]}
    key_secrets:
      multihome-web1: "{{ vault_dns_key }}"

- name: Remove the name server
  multihome.linux.name_server:
    zones: []
"""

RETURN = r"""
actions:
  description: The changed files, and the service. In check mode, those that would be changed.
  returned: success
  type: list
  elements: dict
  sample:
    - op: add
      object: {file: /etc/multihome/name_server/knot.conf}
    - op: add
      object: {service: multihome-dns.service}
before:
  description: The files before the run.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: []
after:
  description: The files after the run. In check mode, those that a run would leave.
  returned: when something changed, or in diff mode
  type: list
  elements: dict
  sample: [{file: /etc/multihome/name_server/knot.conf}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.converge import converge
from ..module_utils._core.dns.name_server_engine import NameServerEngine
from ..module_utils._core.lock import exclusive
from ..module_utils._module import ListModule, result, with_errors_reported

_SERVERS = {
    "name": {"type": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
}
_RECORDS = {
    "domain": {"type": "str", "required": True},
    "addresses": {"type": "list", "elements": "raw", "required": True},
    "ttl": {"type": "int", "default": 60},
}
_ZONE = {
    "zone": {"type": "str", "required": True},
    "key_name": {"type": "str", "required": True, "no_log": False},
    "key_algorithm": {
        "type": "str",
        "choices": ["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1", "hmac-md5"],
        "default": "hmac-sha256",
    },
    "nameservers": {"type": "list", "elements": "dict", "required": True, "options": _SERVERS},
    "secondaries": {"type": "list", "elements": "dict", "default": [], "options": _SERVERS},
    "records": {"type": "list", "elements": "dict", "default": [], "options": _RECORDS},
}
ARGUMENT_SPEC = {
    "listen": {"type": "list", "elements": "str", "default": []},
    "zones": {"type": "list", "elements": "dict", "required": True, "options": _ZONE},
    "key_secrets": {"type": "dict", "default": {}, "no_log": True},
}


def serve(module: AnsibleModule) -> None:
    """Converge the name server and end the module with the result; raises MultihomeError."""
    engine = NameServerEngine.from_options(module.params)
    outcome = converge(engine, module.check_mode, exclusive)
    module.exit_json(**result(engine, outcome, bool(module._diff)))


def main() -> None:
    """Run the module."""
    module = ListModule(ARGUMENT_SPEC, ("zones",))
    with_errors_reported(module, lambda: serve(module))


if __name__ == "__main__":
    main()
