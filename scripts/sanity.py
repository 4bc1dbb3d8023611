# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make sanity`: all of ansible-test's sanity tests, on a copy that lies where ansible-test wants it.

Arguments are handed on to `ansible-test sanity`.
"""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

import sources
from environment import CACHE, environment

HOME = CACHE / "sanity" / "home"
COLLECTION = CACHE / "sanity" / "ansible_collections" / "multihome" / "linux"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# ansible-test makes environments of its own and fetches an installer of pip for them from a host that may be
# out of reach; an installer in its cache is taken instead, and Python itself brings pip along.
INSTALLER = "import ensurepip\n\nensurepip.bootstrap(upgrade=True, default_pip=True)\n"


def provide_installer() -> None:
    """Put the installer where ansible-test looks for that of the pip version it wants."""
    version = get_venv_packages(SimpleNamespace(version=PYTHON))["pip"].replace(".", "_")
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{version}.py").write_text(INSTALLER)


def main() -> int:
    """Return ansible-test's exit status."""
    provide_installer()
    sources.copy_to(COLLECTION)
    # Without a repository of its own, ansible-test would ask the checkout's, which ignores the copy.
    subprocess.run(["git", "init", "--quiet", str(COLLECTION)], check=True)
    command = ["ansible-test", "sanity", "--python", PYTHON, *sys.argv[1:]]
    return subprocess.run(command, cwd=COLLECTION, env={**environment(), "HOME": str(HOME)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
