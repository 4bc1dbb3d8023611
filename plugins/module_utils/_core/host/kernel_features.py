# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features of the kernel: whether policy routing and the packet filter are available, as modules or built in."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping

from .boot_configuration import lines_of

# Features that the roles' packet filter needs: module, option of the kernel's configuration.
_FEATURES = (
    ("nf_tables", "NF_TABLES"),
    ("nf_conntrack", "NF_CONNTRACK"),
    ("nft_ct", "NFT_CT"),
    ("nft_chain_nat", "NFT_NAT"),
)

_ROUTING_FEATURES = ("IP_MULTIPLE_TABLES", "IPV6_MULTIPLE_TABLES")


def kernel_features(root: str = "/", release: str | None = None) -> dict[str, bool | None]:
    """Return for each feature (its option in the kernel's configuration) whether it is available; None when unknown."""
    name = release or os.uname().release
    directory = os.path.join(root, "lib/modules", name)
    known = [os.path.join(directory, file) for file in ("modules.dep", "modules.builtin")]
    modules = {os.path.basename(line.split(":")[0]).split(".")[0] for file in known for line in lines_of(file)}
    options = _kernel_options(root, name)
    found: dict[str, bool | None] = {}
    for module, option in _FEATURES:
        if module in modules or os.path.isdir(os.path.join(root, "sys/module", module)) or options.get(option) == "y":
            found[option] = True
        elif modules or (options and option not in options):
            found[option] = False
        else:
            found[option] = None
    found.update({option: option in options if options else None for option in _ROUTING_FEATURES})
    return found


def _kernel_options(root: str, release: str) -> Mapping[str, str]:
    """Return the options of the kernel's configuration without their prefix; empty when it cannot be read."""
    try:
        with gzip.open(os.path.join(root, "proc/config.gz"), "rt", encoding="utf-8") as packed:
            lines = packed.read().splitlines()
    except OSError:
        lines = list(lines_of(os.path.join(root, f"boot/config-{release}")))
    pairs = (line.partition("=") for line in lines if line.startswith("CONFIG_"))
    return {name[len("CONFIG_") :]: value for name, _equals, value in pairs}
