# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converges kernel parameters: the values in effect in /proc/sys, and the file that sets them again at boot."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..entries import Faults, parse_list
from ..errors import ForeignObject, InvalidInput, StepFailed
from ..fields import shown
from ..plan import Action, Existing, Plan, plan
from .files import Files
from .kernel_parameter_file import (
    Parameter,
    followers,
    is_of_interface,
    parameter_name,
    parse_file,
    render,
    setting_order,
)

DIRECTORY = "/etc/sysctl.d"
DEFAULT_FILE = f"{DIRECTORY}/60-multihome.conf"
# Only this collection writes the file, so that all its parameters have one owner.
_OWNER = 0

_REMEDIES = {
    errno.EACCES: "permission denied; run as root (become: true); some parameters are read-only, and a container or "
    "user namespace can set only its own net.*",
    errno.EINVAL: "the kernel refuses this value; see its range in Documentation/networking/ip-sysctl of Linux",
    errno.ENOENT: "it was removed along with its interface or kernel module",
    errno.ELOOP: "it is a symbolic link; remove it or choose another file",
    errno.EROFS: "the file system is read-only here, as in many containers; set it on the host of the container",
    errno.ENOSPC: "the disk is full",
}
_REMEDIES[errno.EPERM] = _REMEDIES[errno.EACCES]
_REMEDIES[errno.ERANGE] = _REMEDIES[errno.EINVAL]


class System(Files):
    """Reads and writes parameters and files below ``root`` and ``proc_sys``; raises OSError."""

    def __init__(self, proc_sys: str = "/proc/sys", root: str = "/") -> None:
        super().__init__(root)
        self.proc_sys = proc_sys

    def get(self, path: str) -> str:
        """Return a parameter's value, with single spaces."""
        with open(os.path.join(self.proc_sys, path), encoding="utf-8", errors="replace") as parameter:
            return " ".join(parameter.read().split())

    def set(self, path: str, value: str) -> None:
        """Give a parameter its value, in one write."""
        descriptor = os.open(os.path.join(self.proc_sys, path), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)

    def matching(self, pattern: str) -> list[str]:
        """Return the paths of the parameters that a pattern selects."""
        found = glob.glob(os.path.join(glob.escape(self.proc_sys), pattern))
        return sorted(os.path.relpath(path, self.proc_sys) for path in found)

    def save(self, file: str, text: str | None, mode: int = 0o644) -> None:
        """Replace a file atomically; None removes it.

        World-readable, as every file of sysctl.d: it holds no secret (/proc/sys shows the same values to all users),
        and sysctl(8) run by a user has to read it.
        """
        super().save(file, text, mode)


@dataclass(frozen=True)
class Snapshot:
    """``live``: path -> value, of declared parameters and those the kernel may set with them; ``text`` of the file.

    ``unreadable``: path -> why a declared parameter has no value.
    """

    live: Mapping[str, str]
    unreadable: Mapping[str, OSError]
    text: str | None


@dataclass(frozen=True)
class ParameterPlan:
    """The planner's ``steps``; ``live``: path -> value in effect before; ``missing``: optional names not here."""

    steps: Plan[Parameter]
    live: Mapping[str, str]
    missing: tuple[str, ...]

    @property
    def actions(self) -> Sequence[Action[Parameter]]:
        """The steps in the order in which they are applied."""
        return self.steps.actions


class KernelParameterEngine:
    """Converges kernel parameters. ``parameters`` are entries of the module's option; ``file`` is ours."""

    def __init__(
        self, parameters: Sequence[Any], file: str = DEFAULT_FILE, purge: bool = False, system: System | None = None
    ) -> None:
        faults = Faults()
        declared = faults.take(lambda: parse_list(parameters, "parameters", Parameter.parse, "name", _key, _called))
        name = faults.take(lambda: parse_file_name(file))
        faults.refuse()
        self.declared, self.file = declared.value, name.value
        # The kernel copies some values to others: in this order the most specific one is set last.
        self.desired = sorted(self.declared, key=lambda entry: setting_order(entry.object.path))
        self.purge = purge
        self.system = system or System()

    def read(self) -> Snapshot:
        """Return the values in effect and the file's text; raises ForeignObject when the file cannot be read."""
        live: dict[str, str] = {}
        unreadable: dict[str, OSError] = {}
        declared = [entry.object.path for entry in self.desired]
        along = {path for pattern in map(followers, declared) if pattern for path in self.system.matching(pattern)}
        for path in along.union(declared):
            try:
                live[path] = self.system.get(path)
            except OSError as error:
                unreadable[path] = error
        try:
            text = self.system.load(self.file)
        except OSError as error:
            raise ForeignObject([f"{self.file}: cannot be read: {_reason(error)}"]) from error
        return Snapshot(live, unreadable, text)

    def plan(self, current: Snapshot) -> ParameterPlan:
        """Return the plan.

        Raises InvalidInput for parameters that do not exist and are not optional, ForeignObject for a file that this
        collection did not write.
        """
        missing, faults = self._missing(current)
        if faults:
            raise InvalidInput(faults)
        # One of an interface is written all the same: at boot, or when the interface appears, it is set from the file.
        skipped = {path for path in missing if not is_of_interface(path)}
        desired = [entry for entry in self.desired if entry.object.path not in skipped]
        existing = [
            Existing(replace(item, live=current.live.get(item.path)), _OWNER)
            for item in self._recorded(current)
            if item.path not in skipped
        ]
        paths = [entry.object.path for entry in desired]
        live = {path: current.live[path] for path in paths if path in current.live}
        return ParameterPlan(plan(desired, existing, _OWNER, self.purge), live, tuple(missing.values()))

    def apply(self, plan: ParameterPlan, current: Snapshot) -> None:
        """Carry the plan out, the values and then the file; raises StepFailed."""
        what = ""
        try:
            for entry in self.desired:
                if entry.object.path in plan.live:
                    what = f"{entry.where}: set to {entry.object.value}"
                    self._ensure(entry.object.path, entry.object.value)
            what = f"write {self.file}"
            left_alone = [item for item in self._recorded(current) if item.name in plan.missing]
            listed = {item.path: item for item in [*left_alone, *plan.steps.after]}
            self._ensure_file(render(listed.values()))
        except OSError as error:
            raise StepFailed(what, _reason(error), self._changed(current)) from error

    def restore(self, _plan: ParameterPlan, current: Snapshot) -> list[str]:
        """Restore the values and the file of ``current``, all that can be; return what could not be restored."""
        failed: list[str] = []
        for path in self._in_order(current):
            try:
                self._ensure(path, current.live[path])
            except OSError as error:
                failed.append(f"{_shown(path, current)}: {_reason(error)}")
        try:
            self._ensure_file(current.text)
        except OSError as error:
            failed.append(f"{self.file}: {_reason(error)}")
        return failed

    def before(self, plan: ParameterPlan) -> list[dict[str, Any]]:
        """Return the parameters of the file as entries of ``parameters``, with the values in effect."""
        return [item.as_input() for item in plan.steps.before]

    def after(self, plan: ParameterPlan) -> list[dict[str, Any]]:
        """Return the parameters of the file after the plan, as entries of ``parameters``."""
        return [item.as_input() for item in plan.steps.after]

    def lines(self, plan: ParameterPlan) -> dict[str, list[str]]:
        """Return one line a parameter for the diff: the value in effect, and the file's value where it differs."""
        recorded = {item.path: item for item in plan.steps.before}
        before = []
        for path in sorted({*recorded, *plan.live}):
            item = recorded.get(path)
            value = plan.live.get(path, item.value if item else "")
            if item is None:
                note = f"  (not in {self.file})"
            else:
                note = "" if item.value == value else f"  (in {self.file}: {item.value})"
            before.append(_line(path, value, item) + note)
        after = [_line(item.path, item.value, item) for item in plan.steps.after]
        return {"before": before, "after": after}

    def _recorded(self, current: Snapshot) -> list[Parameter]:
        try:
            return parse_file(current.text)
        except ValueError as error:
            raise ForeignObject(
                [f"{self.file}: {error}; move it away or choose another file, it is not overwritten"]
            ) from None

    def _missing(self, current: Snapshot) -> tuple[dict[str, str], list[str]]:
        """Return path -> name of missing optional parameters, and a fault for every other one without a value."""
        missing: dict[str, str] = {}
        faults: list[str] = []
        for entry in self.declared:
            item, error = entry.object, current.unreadable.get(entry.object.path)
            if error is None:
                continue
            if error.errno == errno.EISDIR:
                reason = "not one kernel parameter but a directory of them; name one in it"
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR):
                reason = f"cannot be read: {_reason(error)}"
            elif item.optional:
                missing[item.path] = item.name
                continue
            else:
                reason = (
                    "no such kernel parameter on this host; correct the name, load its kernel module or create its "
                    "interface, or set optional: true"
                )
            faults.append(f"{entry.where}: {reason}")
        return missing, faults

    def _ensure(self, path: str, value: str) -> None:
        if self.system.get(path) != value:
            self.system.set(path, value)

    def _ensure_file(self, text: str | None) -> None:
        if self.system.load(self.file) != text:
            self.system.save(self.file, text)

    def _in_order(self, current: Snapshot) -> list[str]:
        """Return the parameters in the order to restore them.

        Declared ones come before those that the kernel set along with them, so that users read what they wrote.
        """
        declared = {entry.object.path for entry in self.declared}
        return sorted(current.live, key=lambda path: (setting_order(path)[0], path not in declared, path))

    def _changed(self, current: Snapshot) -> list[str]:
        """Return what differs from ``current`` now, each with the value to restore."""
        changed = []
        for path in self._in_order(current):
            with contextlib.suppress(OSError):
                if self.system.get(path) != current.live[path]:
                    changed.append(_shown(path, current))
        with contextlib.suppress(OSError):
            if self.system.load(self.file) != current.text:
                changed.append(self.file)
        return changed


def parse_file_name(file: object) -> str:
    """Return the path of a file directly in /etc/sysctl.d that is read at boot; raises InvalidInput."""
    directory, _slash, name = str(file).rpartition("/")
    if directory != DIRECTORY or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*\.conf", name):
        raise InvalidInput([f"file {shown(file)}: not a file directly in {DIRECTORY} with a name that ends in .conf"])
    return f"{directory}/{name}"


def _shown(path: str, current: Snapshot) -> str:
    return f"{parameter_name(path)} = {current.live[path]}"


def _key(item: Parameter) -> str:
    return item.path


def _called(item: Parameter) -> str:
    return f"kernel parameter {item.name}"


def _line(path: str, value: str, item: Parameter | None) -> str:
    return f"{parameter_name(path)} = {value}{' (optional)' if item and item.optional else ''}"


def _reason(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0) or os.strerror(error.errno or 0)
