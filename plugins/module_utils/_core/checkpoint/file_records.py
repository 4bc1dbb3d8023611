# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directory trees as they are, with mode, owner and extended attributes, and their restoration."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import functools
import os
import shutil
import stat
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# What is compiled is made again from its source.
_COMPILED = "__pycache__"
# linux/fs.h: FS_IOC_GETFLAGS, which has the size of a long, and FS_IMMUTABLE_FL
_GET_FLAGS = 0x80006601 | struct.calcsize("l") << 16
_IMMUTABLE = 0x10
Record = dict[str, Any]


def capture(paths: Iterable[str], root: str = "/", left_out: tuple[str, ...] = ()) -> dict[str, Record]:
    """Return a record for each path and for all that is in it; raises OSError.

    A path may be a link to a directory elsewhere, which counts as the directory then. Paths that begin with one of
    ``left_out`` are neither recorded nor restored.
    """
    found: dict[str, Record] = {}
    for path in paths:
        _capture(path, root, found)
        if found[path]["type"] == "link" and os.path.isdir(_real(path, root)):
            _capture_content(path, root, found)
    return _without(found, left_out)


def _without(records: Mapping[str, Record], left_out: tuple[str, ...]) -> dict[str, Record]:
    return {path: record for path, record in records.items() if not path.startswith(left_out)}


def _capture(path: str, root: str, found: dict[str, Record]) -> None:
    real = _real(path, root)
    found[path] = record = _record(real, path, root)
    if record["type"] == "directory":
        _capture_content(path, root, found)


def _capture_content(path: str, root: str, found: dict[str, Record]) -> None:
    for name in sorted(os.listdir(_real(path, root))):
        if name != _COMPILED:
            _capture(f"{path}/{name}", root, found)


def _record(real: str, path: str, root: str) -> Record:
    try:
        status = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        return {"type": "absent", "missing": _missing_parents(path, root)}
    if stat.S_ISLNK(status.st_mode):
        return {"type": "link", "target": os.readlink(real)}
    record: Record = {"mode": stat.S_IMODE(status.st_mode), "uid": status.st_uid, "gid": status.st_gid}
    record["xattrs"] = _attributes(real)
    if stat.S_ISDIR(status.st_mode):
        return {"type": "directory", **record}
    if not stat.S_ISREG(status.st_mode):
        return {"type": "other"}
    with open(real, "rb") as file:
        return {"type": "file", **record, "data": base64.b64encode(file.read()).decode("ascii")}


def _missing_parents(path: str, root: str) -> list[str]:
    missing = []
    parent = os.path.dirname(path)
    while parent != "/" and not os.path.lexists(_real(parent, root)):
        missing.append(parent)
        parent = os.path.dirname(parent)
    return missing


def _attributes(real: str) -> dict[str, str]:
    found = {}
    # Some file systems have none.
    with contextlib.suppress(OSError):
        for name in os.listxattr(real, follow_symlinks=False):
            with contextlib.suppress(OSError):
                found[name] = base64.b64encode(os.getxattr(real, name, follow_symlinks=False)).decode("ascii")
    return found


def differences(
    records: Mapping[str, Record], paths: Iterable[str], root: str = "/", left_out: tuple[str, ...] = ()
) -> list[str]:
    """Return the paths that are not as recorded; raises OSError."""
    # An earlier version may have recorded more.
    records, now = _without(records, left_out), capture(paths, root, left_out)
    changed = sorted(path for path in {*records, *now} if _plain(records.get(path)) != _plain(now.get(path)))
    return [path for path in changed if not _is_kept(path, records.get(path), root, left_out)]


def _is_kept(path: str, record: Record | None, root: str, left_out: tuple[str, ...]) -> bool:
    """Tell whether a directory that was absent holds something that is left out, and so has to stay."""
    inside = (other for other in left_out if other.startswith(f"{path}/"))
    return _plain(record)["type"] == "absent" and any(os.path.lexists(_real(other, root)) for other in inside)


def _plain(record: Record | None) -> Record:
    # Something in a tree that was not there has no record, and a path that was absent has one that says so.
    return {"type": "absent"} if record is None or record["type"] == "absent" else dict(record)


def restore(
    records: Mapping[str, Record], paths: Iterable[str], root: str = "/", left_out: tuple[str, ...] = ()
) -> list[str]:
    """Restore what differs; return what could not be restored. Parents come before what is in them."""
    failures: list[str] = []
    try:
        changed = differences(records, paths, root, left_out)
    except OSError as error:
        return [str(error)]
    gone = [path for path in changed if _plain(records.get(path))["type"] == "absent"]
    for path in reversed(gone):
        _try(failures, path, functools.partial(_remove, path, records.get(path), root))
    for path in changed:
        if path not in gone:
            _try(failures, path, functools.partial(_write, _real(path, root), records[path]))
    return failures


def _try(failures: list[str], path: str, work: Callable[[], None]) -> None:
    try:
        work()
    except OSError as error:
        failures.append(f"{path}: {error.strerror or error}{_why_not_permitted(error)}")


def _why_not_permitted(error: OSError) -> str:
    """Return the remedy for a file or a directory that not even root may change."""
    for name in (error.filename2, error.filename) if error.errno == errno.EPERM else ():
        for real in (name, os.path.dirname(name)) if isinstance(name, str) else ():
            if _is_immutable(real):
                return f"; {real} is immutable: chattr -i {real}"
    return ""


def _is_immutable(real: str) -> bool:
    with contextlib.suppress(OSError):
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))
        finally:
            os.close(descriptor)
        return bool(int.from_bytes(answer[:4], sys.byteorder) & _IMMUTABLE)
    return False


def _remove(path: str, record: Record | None, root: str) -> None:
    real = _real(path, root)
    if os.path.isdir(real) and not os.path.islink(real):
        shutil.rmtree(real)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(real)
    for parent in (record or {}).get("missing", ()):
        # Only where nobody else put something meanwhile.
        with contextlib.suppress(OSError):
            os.rmdir(_real(parent, root))
    sync_directory(os.path.dirname(real))


def _write(real: str, record: Record) -> None:
    if record["type"] == "other":
        raise OSError("neither a file, a directory nor a link")
    is_directory = os.path.isdir(real) and not os.path.islink(real)
    if is_directory and record["type"] != "directory":
        shutil.rmtree(real)
    os.makedirs(os.path.dirname(real), mode=0o755, exist_ok=True)
    if record["type"] == "directory":
        if not is_directory:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(real)
            os.mkdir(real, 0o700)
        _set_properties(real, record)
        return
    directory, name = os.path.split(real)
    new = os.path.join(directory, f".{name}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    try:
        if record["type"] == "link":
            os.symlink(record["target"], new)
        else:
            write_synced(new, base64.b64decode(record["data"]))
            _set_properties(new, record)
        os.rename(new, real)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    sync_directory(directory)


def _set_properties(real: str, record: Record) -> None:
    found = os.lstat(real)
    if (found.st_uid, found.st_gid) != (record["uid"], record["gid"]):
        os.chown(real, record["uid"], record["gid"])
    os.chmod(real, record["mode"])
    here = _attributes(real)
    for name, value in record["xattrs"].items():
        if here.get(name) != value:
            os.setxattr(real, name, base64.b64decode(value))
    for name in here.keys() - record["xattrs"].keys():
        os.removexattr(real, name)


def write_synced(real: str, data: bytes) -> None:
    """Write a new file that only root may read, and sync it; raises OSError."""
    descriptor = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: str) -> None:
    """Sync the names in a directory, where that is possible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _real(path: str, root: str) -> str:
    return os.path.join(root, path.lstrip("/"))
