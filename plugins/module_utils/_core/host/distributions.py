# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of packages by distribution, which /etc/os-release tells (os-release(5)). Data; adding one is adding a row.

Sources: the package indexes of the distributions. Debian and its derivatives are tested, the others are prepared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DEFAULT = "debian"
# Requirement (host/requirements.py) to package, by an ID of os-release; derivatives name one of these as ID_LIKE.
PACKAGES: dict[str, dict[str, str]] = {
    "debian": {
        "pyroute2": "python3-pyroute2",
        "nft": "nftables",
        "ip": "iproute2",
        "iptables": "iptables",
        "dnspython": "python3-dnspython",
        "knot": "knot",
    },
    "fedora": {
        "pyroute2": "python3-pyroute2",
        "nft": "nftables",
        "ip": "iproute",
        "iptables": "iptables-nft",
        "dnspython": "python3-dns",
        "knot": "knot",
    },
    "suse": {
        "pyroute2": "python3-pyroute2",
        "nft": "nftables",
        "ip": "iproute2",
        "iptables": "iptables",
        "dnspython": "python3-dnspython",
        "knot": "knot",
    },
    "arch": {
        "pyroute2": "python-pyroute2",
        "nft": "nftables",
        "ip": "iproute2",
        "iptables": "iptables-nft",
        "dnspython": "python-dnspython",
        "knot": "knot",
    },
    "alpine": {
        "pyroute2": "py3-pyroute2",
        "nft": "nftables",
        "ip": "iproute2",
        "iptables": "iptables",
        "dnspython": "py3-dnspython",
        "knot": "knot",
    },
}
_FIELD = re.compile(r"""^(ID|ID_LIKE)=["']?([^"'\n]*)["']?\s*$""", re.MULTILINE)
_PLACES = ("/etc/os-release", "/usr/lib/os-release")


def family(os_release: str) -> str:
    """Return the row of PACKAGES for a host, from the text of its os-release; Debian's where none is known."""
    fields: Mapping[str, str] = dict(_FIELD.findall(os_release))
    named = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".lower().split()
    return next((name for name in named if name in PACKAGES), DEFAULT)


def packages() -> dict[str, str]:
    """Return the packages of this host's distribution by requirement; raises nothing."""
    for place in _PLACES:
        try:
            with open(place, encoding="utf-8", errors="replace") as file:
                return PACKAGES[family(file.read())]
        except OSError:
            continue
    return PACKAGES[DEFAULT]
