# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a phase of the Makefile again as an ordinary user: root does so on a copy that belongs to that user.

`python scripts/ordinary_user.py PHASE REPORT`; the copy sets itself up, as a clone would, and is removed afterwards.
What pytest counted in the phase is left in REPORT.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import sources
from environment import ROOT
from phases import Phase, Runner

USER = "nobody"
# What belongs to the user who runs this, or to this checkout's own environment.
NOT_HANDED_ON = ("HOME", "LOGNAME", "MAKE", "MFLAGS", "PIP_CONFIG_FILE", "USER", "VIRTUAL_ENV", "XDG_")


def hand_over(directory: Path, user: pwd.struct_passwd) -> None:
    """Give a directory and all in it to a user."""
    for path in (directory, *directory.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def make_as(user: pwd.struct_passwd, checkout: Path, target: str) -> int:
    """Run `make` in a checkout as another user, who has no home; return the exit status."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_HANDED_ON)}
    path = environment["PATH"].split(os.pathsep)
    environment["PATH"] = os.pathsep.join(part for part in path if not Path(part).is_relative_to(ROOT))
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    phase = Phase(f"{target} as {user.pw_name}", [[*become, "make", target]])
    (result,) = Runner(environment, checkout).run([phase])
    return int(bool(result.failed))


def main() -> int:
    """Return the exit status: 0 when the phase went well."""
    if os.geteuid() != 0:
        raise SystemExit("Only root can become another user; as an ordinary user call make itself.")
    # Not only a Ctrl-C has to get as far as to the removal of the copy.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name, report = sys.argv[1:]
    user = pwd.getpwnam(USER)
    parent = Path(tempfile.mkdtemp(prefix="multihome-"))
    try:
        checkout = parent / "checkout"
        sources.copy_to(checkout)
        subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
        hand_over(parent, user)
        status = make_as(user, checkout, name)
        written = checkout / ".cache" / "reports" / f"{name}.xml"
        if written.exists():
            Path(report).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(written, report)
        return status
    finally:
        shutil.rmtree(parent)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
