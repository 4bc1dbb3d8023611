# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's own main() in a process of its own, as Ansible does on a host, wherever the test wants it.

    result = run_module("nat_rules", {"rules": []}, check=True, netns_prefix=host.prefix)

The process may be another Python than the test's (``python``) and may be given directories that come first
when it imports (``path``, e.g. the oldest pyroute2). ansible-core and this
collection are always the test's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_MODULES = "ansible_collections.multihome.linux.plugins.modules"
_COMPILED = Path(__file__).resolve().parents[2] / ".cache" / "pycache"


def run_module(
    name: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    python: str = sys.executable,
    netns_prefix: Sequence[str] = (),
    path: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one module and return its result, a failure too (``failed`` is true then).

    ``environment`` is added to the process's own. RuntimeError when the module ends without a result.
    """
    request = _request(name, args, check=check, diff=diff)
    # What one run has compiled the next one need not: two thirds of a run. Nothing of it lies beside the sources.
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": str(_COMPILED), **(environment or {})}
    if path:
        variables["PYTHONPATH"] = os.pathsep.join(path)
    done = subprocess.run(
        [*netns_prefix, python, str(Path(__file__).resolve())],
        input=request,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=variables,
    )
    try:
        result = json.loads(done.stdout)
    except ValueError:
        said = f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        raise RuntimeError(f"{name} ended without a result: {said}") from None
    if not isinstance(result, dict):
        raise RuntimeError(f"{name} gave {result!r}")
    return result


def start_module(name: str, args: Mapping[str, Any], netns_prefix: Sequence[str]) -> subprocess.Popen[str]:
    """Start one module in a process of its own, to be killed by the test."""
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": str(_COMPILED)}
    process = subprocess.Popen(
        [*netns_prefix, "setpriv", "--pdeathsig", "KILL", sys.executable, str(Path(__file__).resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=variables,
    )
    assert process.stdin is not None
    process.stdin.write(_request(name, args))
    process.stdin.close()
    return process


def _request(name: str, args: Mapping[str, Any], *, check: bool = False, diff: bool = False) -> str:
    return json.dumps(
        {
            "module": f"{_MODULES}.{name}",
            "args": {
                **args,
                "_ansible_check_mode": check,
                "_ansible_diff": diff,
                "_ansible_remote_tmp": os.devnull,
            },
            # Behind everything that the other Python has itself.
            "path": [entry for entry in sys.path if entry.endswith("site-packages")],
        }
    )


def _main() -> None:
    request = json.load(sys.stdin)
    # This script's own directory is of no use to the module, and its names must not shadow others.
    sys.path[0:1] = []
    sys.path.extend(entry for entry in request["path"] if entry not in sys.path)
    import runpy  # noqa: PLC0415 - after sys.path is what the module will see

    from ansible.module_utils.testing import patch_module_args  # noqa: PLC0415 - as above

    with patch_module_args(request["args"]):
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
