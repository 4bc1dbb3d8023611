# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that holds a booted machine: `python -m tests.machines.launcher SOCKET OPTIONS`, started by Machine.

It runs inside of a lab's namespaces and is the init of a PID namespace of its own, so that whatever ends it or the lab
ends the machine, and its mounts and network go as well. It also ends when the other end of SOCKET, a
sequenced-packet socket, is closed: with whoever started it, however that ended.

At each boot there is a new, empty network. `network` says that it is there; the other side then plugs the cables in
and answers `boot`. `off` says that the machine has been powered off.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..lab import linux
from .files import write

_CLONE_NEWCGROUP = 0x02000000
# What systemd-nspawn(1) with --keep-unit exits with when the machine wants to be booted again.
_REBOOT = 133


def main() -> None:
    """Enter the namespaces and hold the machine."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    options: dict[str, Any] = json.loads(sys.argv[2])
    # Into the machine's own control group, which then is all of the tree that the machine can see.
    Path(options["control_group"], "cgroup.procs").write_text("0", encoding="ascii")
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWPID | _CLONE_NEWCGROUP)
    pid = os.fork()
    if pid:
        channel.close()
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    linux.die_with_parent()
    root = _root(options)
    write(root, options["files"])
    while True:
        linux.unshare(linux.CLONE_NEWNET)
        for name, value in options["settings"]:
            Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")
        channel.send(b"network")
        if channel.recv(100) != b"boot":
            return
        if _run(channel, root, options) != _REBOOT:
            channel.send(b"off")
            return


def _root(options: dict[str, Any]) -> Path:
    """Mount the machine's root, an overlay on the release that machines share, and what nspawn works with."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc")
    linux.mount("tmpfs", "/run", "tmpfs")
    linux.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    store = Path(options["store"])
    for name in ("root", "upper", "work"):
        (store / name).mkdir(parents=True)
    data = f"lowerdir={options['release']},upperdir={store}/upper,workdir={store}/work"
    linux.mount("overlay", store / "root", "overlay", 0, data)
    return store / "root"


def _run(channel: socket.socket, root: Path, options: dict[str, Any]) -> int | None:
    """Boot the machine and wait for its end; return nspawn's exit status, None when nobody wants the machine."""
    command = [
        *("systemd-nspawn", "--quiet", "--boot", "--keep-unit", "--register=no", f"--directory={root}"),
        *(f"--machine={options['name']}", "--network-namespace-path=/proc/self/ns/net", "--capability=CAP_NET_ADMIN"),
        # Containers need them: runc makes a keyring, and a filter of devices.
        "--system-call-filter=@keyring bpf",
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
        *(f"--bind-ro={path}" for path in options["visible"]),
    ]
    # The network's kernel settings are the machine's own.
    environment = {**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment) as nspawn:
        ended = os.pidfd_open(nspawn.pid)
        try:
            ready = select.select([ended, channel.fileno()], [], [])[0]
        finally:
            os.close(ended)
        if ended in ready:
            return nspawn.wait()
        # The kernel ends all else with this process.
        os._exit(0)


if __name__ == "__main__":
    main()
