# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few Linux system calls that Python's standard library lacks (os.unshare came with 3.12).

Each raises OSError with the errno and what was tried.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
HOST_NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18

_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture, mount_setattr(2), Linux 5.12
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` for new ones; a new PID namespace begins with the next child."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def map_root_user(uid: int, gid: int) -> None:
    """Be root in the user namespace just entered: `uid` and `gid` outside are 0 inside, nobody else is mapped."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        Path("/proc/self", name).write_text(text, encoding="ascii")


def mount(source: str | Path, target: str | Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    words = [os.fsencode(word) for word in (source, target, kind)]
    _check(_libc.mount(*words, flags, os.fsencode(data)), f"mount {kind or source} on {target}")


def make_read_only(path: str | Path, on: bool = True) -> None:
    """Make the mount at `path` and all below it read-only (or writable again), whatever else is locked on them."""
    attributes = struct.pack("=QQQQ", *((_MOUNT_ATTR_RDONLY, 0) if on else (0, _MOUNT_ATTR_RDONLY)), 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), _AT_RECURSIVE, attributes, ctypes.c_size_t(len(attributes))
    )
    _check(result, f"mount_setattr {path} read-only")


def change_root(path: str | Path) -> None:
    """Make the mount at `path` the root of this mount namespace and let go of the old one (pivot_root(2))."""
    os.chdir(path)
    # With both arguments "." the old root is stacked on the new one, so that no directory is needed for it.
    _check(_libc.pivot_root(b".", b"."), f"pivot_root {path}")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def die_with_parent(on: bool = True) -> None:
    """Be killed when the parent ends, however it ends (prctl(2), PR_SET_PDEATHSIG), or no longer."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL) if on else 0, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
