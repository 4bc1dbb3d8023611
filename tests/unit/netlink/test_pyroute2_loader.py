# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of pyroute2 what is needed is loaded, or all of it where it will not be taken apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:]
from ansible_collections.multihome.linux.plugins.module_utils._core.netlink.rtnetlink import Netlink
with Netlink() as netlink:
    assert any(rule.get("FRA_PRIORITY") == 32766 for rule in netlink.dump("rule"))
    assert netlink.dump("address")
print("asyncio" in sys.modules, any(name.partition(".")[0] == "pyroute2" for name in sys.modules))
import pyroute2
with pyroute2.IPRoute() as route:
    assert list(route.get_rules())
"""
OLDEST = Path(__file__).resolve().parents[3] / ".venv" / "oldest"


def run(*path: str) -> str:
    """What the program says, with these directories in front of all others."""
    return subprocess.run([sys.executable, "-c", PROGRAM, *path], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("path", [[], [str(OLDEST)]], ids=["newest", "oldest"])
def test_the_kernel_is_read_without_the_rest_which_others_may_still_import(path: list[str]) -> None:
    assert run(*path).split() == ["False", "False"]


def test_one_that_will_not_be_taken_apart_is_loaded_whole(tmp_path: Path) -> None:
    # A package whose parts look for what its __init__ puts there, and that stands in for the installed one.
    package = tmp_path / "pyroute2"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import importlib.util, sys\n"
        "sys.path.remove(__file__.rpartition('/pyroute2/')[0])\n"
        "del sys.modules['pyroute2']\n"
        "import pyroute2 as whole\n"
        "sys.modules['pyroute2'] = whole\n"
    )
    (package / "netlink.py").write_text("from pyroute2 import what_only_init_has\n")
    assert run(str(tmp_path)).split()[1] == "True"
