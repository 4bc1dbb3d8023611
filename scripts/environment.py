# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of every check and test: the checkout's .venv in front, all caches inside the checkout.

`python scripts/environment.py COMMAND ARGUMENT...` runs one command in it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
# An ordinary user's PATH leaves out where Debian keeps ip, nft and iptables.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def environment() -> dict[str, str]:
    """This process's environment, changed so that nobody's settings are read and no home is written to."""
    path = os.environ.get("PATH", os.defpath)
    home = CACHE / "home"
    home.mkdir(parents=True, exist_ok=True)
    result = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    # pip's own settings (a mirror, a certificate) live in the real home.
    for settings in map(os.path.expanduser, ("~/.config/pip/pip.conf", "~/.pip/pip.conf")):
        if os.access(settings, os.R_OK):
            result.setdefault("PIP_CONFIG_FILE", settings)
    result |= {
        "ANSIBLE_HOME": str(CACHE / "ansible"),
        "HOME": str(home),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
        "MYPY_CACHE_DIR": str(CACHE / "mypy"),
        "PATH": os.pathsep.join((str(VENV / "bin"), path, SYSTEM_PATH)),
        "PYTHONPYCACHEPREFIX": str(CACHE / "pycache"),
        "PYTHONUNBUFFERED": "1",
        "RUFF_CACHE_DIR": str(CACHE / "ruff"),
        "VIRTUAL_ENV": str(VENV),
        "XDG_CACHE_HOME": str(CACHE / "xdg"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
    }
    # Ansible refuses to start where the locale's encoding is not UTF-8.
    if "UTF-8" not in result.get("LC_ALL", result.get("LANG", "")).upper().replace("UTF8", "UTF-8"):
        result["LC_ALL"] = "C.UTF-8"
    return result


if __name__ == "__main__":
    wanted = environment()
    os.execvpe(sys.argv[1], sys.argv[1:], wanted)
