# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome confirm` and `revert`: by the program that commit_confirm installed, which has all engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..confirm import PLACE, PROGRAM
from ..confirm_gate import DEFAULT_TIMEOUT
from ..info import checkpoints
from .failure import CommandFailed
from .terminal import Page

# A revert waits for the lock and for programs, and may restart services.
_PATIENCE = 300.0
_INSTALL = "install it with a deployment, or with the module commit_confirm, state: present"


def confirm(run: str | None) -> dict[str, Any]:
    """Keep the changes of a run, by default of the one that waits; raises CommandFailed."""
    return _ask({"state": "confirmed", "run": run})


def revert(wanted: str | None, timeout: int = DEFAULT_TIMEOUT, dry_run: bool = False) -> dict[str, Any]:
    """Restore the state before the run that waits, or else a confirmed state; raises CommandFailed.

    ``wanted`` is the run that waits, or what commit_confirm takes as a checkpoint.
    """
    pending = checkpoints.read()["pending"]
    if pending is not None and wanted in (None, pending["run"]):
        return _ask({"state": "reverted", "run": pending["run"], "check": dry_run})
    run = time.strftime("revert-%Y%m%dT%H%M%SZ", time.gmtime())
    return _ask({"state": "restored", "checkpoint": wanted, "run": run, "timeout": timeout, "check": dry_run})


def _ask(request: Mapping[str, Any]) -> dict[str, Any]:
    if not os.path.exists(PROGRAM):
        raise CommandFailed(f"the program {PROGRAM} is missing; {_INSTALL}")
    command: Sequence[str] = [sys.executable, "-I", PROGRAM, "do", PLACE]
    try:
        # A session of its own: what it has begun is not ended together with the connection.
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # _core knows no Ansible
            command,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
            start_new_session=True,
            cwd="/",
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{PROGRAM} did not end within {_PATIENCE:g} s; multihome log") from error
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{PROGRAM} does not know this request; {_INSTALL}") from error
    if done.returncode:
        raise CommandFailed(str(answer.get("message")))
    return answer


def confirmed_text(result: Mapping[str, Any]) -> str:
    """Return the result of confirm as a sentence."""
    if result["changed"]:
        return f"Run {result['run']} is confirmed."
    return (
        "Nothing waits for its confirmation."
        if result["run"] is None
        else f"Run {result['run']} has nothing to confirm."
    )


def reverted_text(result: Mapping[str, Any], timeout: int, dry_run: bool = False) -> str:
    """Return the result of revert as a sentence."""
    checkpoint = result["checkpoint"]
    what = f"the confirmed state of run {checkpoint}" if checkpoint else f"the state before run {result['run']}"
    if not result["changed"]:
        return f"Nothing to do: this host has {what}."
    if dry_run:
        return f"It would restore {what}."
    done = f"Restored: {what}."
    if not checkpoint:
        return done
    return f"{done} It is kept only if you confirm it within {timeout} s: multihome confirm"


def render_list(found: Mapping[str, Any], page: Page) -> None:
    """Write the states that can be restored."""
    pending = found["pending"]
    if pending is not None:
        page.add(f"Run {pending['run']} of {pending['who']} waits for its confirmation since {pending['time']}.")
    rows = [(str(place), s["time"], s["run"], s["summary"]) for place, s in enumerate(found["confirmed"], 1)]
    if not rows:
        page.add("No confirmed state is recorded.")
        return
    page.row(("", "CONFIRMED", "RUN", "CHANGES"), (1, 20, 22))
    for row in rows:
        page.row(row, (1, 20, 22))
