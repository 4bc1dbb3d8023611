# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's own files: the machine's, seen through overlays whose changes live in the lab's memory.

The root is a tmpfs. Each directory of the machine's root becomes an overlay of its own, because an ordinary
user may not take `/` itself as an overlay's lower layer (other mounts lie below it and are locked to it). A
directory with other directories mounted below it is taken apart, entry by entry, for the same reason.

An ordinary user's lab maps one user, and a directory of the real root cannot be copied up to belong to
nobody mapped. So a third layer, the skeleton, lies between: directories of the same names that are ours, and
for /etc the files too. It is made once per lab and shared by its hosts.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import linux

# Made anew for every host instead of being shown through an overlay.
_FRESH = [Path(path) for path in ("/dev", "/proc", "/run", "/sys", "/tmp")]
_ETC = Path("/etc")
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero", "net/tun")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
    "stderr": "fd/2",
    "stdin": "fd/0",
    "stdout": "fd/1",
}
_QUIET = linux.MS_NOSUID | linux.MS_NODEV


@dataclass(frozen=True)
class Layers:
    """What the hosts' roots are made of: the tmpfs that holds it all, and what of the machine matters to them."""

    store: Path  # a tmpfs of the lab
    user_namespace: bool
    visible: tuple[Path, ...]  # shown even where they lie below a fresh directory: the checkout, Python
    mounts: tuple[Path, ...]  # directories on which the machine has something mounted


def prepare(store: Path, user_namespace: bool, visible: tuple[Path, ...]) -> Layers:
    """Mount the lab's tmpfs on the directory `store` and, in a user namespace, make the skeleton."""
    layers = Layers(store, user_namespace, visible, tuple(mount_points()))
    linux.mount("tmpfs", store, "tmpfs", linux.MS_NODEV, "mode=700")
    if user_namespace:
        _copy_tree(_ETC, store / "skeleton/etc", files=True)
        _copy_tree(Path("/var"), store / "skeleton/var", files=False)
        # Below this the directories of /usr are thousands, and nobody configures a host there.
        _copy_tree(Path("/usr"), store / "skeleton/usr", files=False, depth=3)
    return layers


def mount_points() -> list[Path]:
    """Return the directories that have something mounted on them, from /proc/self/mountinfo (proc(5))."""
    points = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        # Blanks, tabs, newlines and backslashes stand there as octal escapes.
        point = re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), line.split(b" ")[4])
        with contextlib.suppress(PermissionError):  # below a directory that is closed to us, and so not shown
            if Path(os.fsdecode(point)).is_dir():
                points.append(Path(os.fsdecode(point)))
    return points


def enter(host: str, layers: Layers) -> None:
    """Make the root of `host` in this (its own) mount namespace and move into it."""
    base = layers.store / "hosts" / host
    root = base / "root"
    root.mkdir(parents=True)
    linux.mount("tmpfs", root, "tmpfs", _QUIET, "mode=755")
    builder = _Builder(base, root, layers)
    for path in sorted(Path("/").iterdir()):
        if path not in _FRESH:
            builder.show(path)
    _fresh_directories(builder)
    linux.change_root(root)
    linux.make_read_only("/sys")
    # Of all kernel settings only the network's are the host's own; the others would be the machine's.
    linux.mount("/proc/sys", "/proc/sys", flags=linux.MS_BIND | linux.MS_REC)
    linux.mount("/proc/sys/net", "/proc/sys/net", flags=linux.MS_BIND | linux.MS_REC)
    linux.make_read_only("/proc/sys")
    linux.make_read_only("/proc/sys/net", on=False)


class _Builder:
    """Makes one host's root below `root`; the overlays' changes are kept below `base`."""

    def __init__(self, base: Path, root: Path, layers: Layers) -> None:
        self.base, self.root, self.layers, self.overlays = base, root, layers, 0

    def place(self, path: Path) -> Path:
        """Return where `path` of the host is while its root is being made."""
        return self.root / path.relative_to("/")

    def show(self, path: Path) -> None:
        """Make `path` of the machine appear in the host, with private changes."""
        target = self.place(path)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif not path.is_dir():
            if path.is_file() and os.access(path, os.R_OK):
                shutil.copyfile(path, target)
        elif not os.access(path, os.R_OK | os.X_OK):
            target.mkdir()  # a directory closed to us, as /root is to an ordinary user: an own, empty one
            self.show_visible_below(path)
        elif self._is_divided(path):
            target.mkdir()
            for entry in sorted(path.iterdir()):
                self.show(entry)
        else:
            target.mkdir()
            self._overlay(path, target)

    def show_visible_below(self, path: Path) -> None:
        """Show what must be seen although the host has its own `path`."""
        for visible in self.layers.visible:
            if path in visible.parents and not self.place(visible).exists():
                self.place(visible).parent.mkdir(parents=True, exist_ok=True)
                self.show(visible)

    def _is_divided(self, path: Path) -> bool:
        whole = self.layers.user_namespace and path == _ETC  # its skeleton has everything
        return not whole and any(path in point.parents for point in self.layers.mounts)

    def _overlay(self, path: Path, target: Path) -> None:
        self.overlays += 1
        upper, work = self.base / f"{self.overlays}/upper", self.base / f"{self.overlays}/work"
        upper.mkdir(parents=True)
        work.mkdir()
        shutil.copymode(path, upper)
        skeleton = self.layers.store / "skeleton" / path.relative_to("/")
        lower = [skeleton] if skeleton.is_dir() else []
        if not (lower and path == _ETC):
            lower.append(path)
        data = f"lowerdir={':'.join(map(_escape, lower))},upperdir={_escape(upper)},workdir={_escape(work)}"
        try:
            linux.mount("overlay", target, "overlay", 0, data + (",userxattr" if self.layers.user_namespace else ""))
        except OSError:
            # Not every file system can lie below an overlay; then its files are seen, but not changed.
            linux.mount(path, target, flags=linux.MS_BIND | linux.MS_REC)
            linux.make_read_only(target)


def _escape(path: Path) -> str:
    """Escape a path for overlay's options, where colons and commas separate."""
    return re.sub(r"([\\:,])", r"\\\1", str(path))


def _fresh_directories(builder: _Builder) -> None:
    for path in _FRESH:
        builder.place(path).mkdir()
    root = builder.root
    linux.mount("proc", root / "proc", "proc", _QUIET | linux.MS_NOEXEC)
    linux.mount("sysfs", root / "sys", "sysfs", _QUIET | linux.MS_NOEXEC)
    linux.mount("tmpfs", root / "run", "tmpfs", _QUIET, "mode=755")
    linux.mount("tmpfs", root / "tmp", "tmpfs", _QUIET, "mode=1777")
    (root / "run/lock").mkdir()
    builder.show_visible_below(Path("/run"))
    builder.show_visible_below(Path("/tmp"))
    _devices(root / "dev")


def _devices(directory: Path) -> None:
    linux.mount("tmpfs", directory, "tmpfs", linux.MS_NOSUID, "mode=755")
    for name in _DEVICES:
        if Path("/dev", name).exists():
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).touch()
            linux.mount(Path("/dev", name), directory / name, flags=linux.MS_BIND)
    (directory / "pts").mkdir()
    linux.mount("devpts", directory / "pts", "devpts", linux.MS_NOSUID, "newinstance,ptmxmode=0666,mode=0620")
    (directory / "shm").mkdir()
    (directory / "shm").chmod(0o1777)
    for name, target in _DEVICE_LINKS.items():
        (directory / name).symlink_to(target)


def _copy_tree(source: Path, target: Path, files: bool, depth: int = 100) -> None:
    """Make the readable directories of `source` below `target` as our own, with their files and links or without."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copymode(source, target)
    for entry in os.scandir(source):
        path = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            if depth > 1 and os.access(entry.path, os.R_OK | os.X_OK):
                _copy_tree(Path(entry.path), path, files, depth - 1)
        elif files and entry.is_symlink():
            path.symlink_to(Path(entry.path).readlink())
        elif files and entry.is_file() and os.access(entry.path, os.R_OK):
            shutil.copyfile(entry.path, path)
            shutil.copymode(entry.path, path)
