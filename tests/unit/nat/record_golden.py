# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write golden/ again: the transaction for rules.json, and what given nft programs print once they have taken it.

    python -m ansible_collections.multihome.linux.tests.unit.nat.record_golden NFT...

Each NFT is a program of one version; it is run in a throw-away network namespace.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from ansible_collections.multihome.linux.plugins.module_utils._core.nat.nftables_state import NftablesState
from ansible_collections.multihome.linux.tests.integration.namespaces import Hosts
from ansible_collections.multihome.linux.tests.unit.nat.engines import plan_on

GOLDEN = Path(__file__).with_name("golden")


def main(programs: list[str]) -> None:
    """Record."""
    text = plan_on(NftablesState(), json.loads((GOLDEN / "rules.json").read_text())).change
    header = "".join(f"{line}\n" for line in Path(__file__).read_text().splitlines()[:2])
    (GOLDEN / "transaction.nft").write_text(header + text)
    for program in programs:
        with Hosts("host") as hosts:
            host = hosts["host"]
            host.run(program, "-f", "-", feed=text)
            found = json.loads(host.run(program, "-j", "list", "table", "inet", "multihome").stdout)
            version = re.search(r"v([\d.]+)", host.run(program, "--version").stdout)
            assert version
            lines = ",\n".join(f"  {json.dumps(entry)}" for entry in found["nftables"])
            (GOLDEN / f"nft-{version[1]}.json").write_text(f'{{"nftables": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
