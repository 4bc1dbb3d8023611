# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All kinds of state of this collection on a host: recorded as a checkpoint, compared with it, and restored."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable
from typing import Any

from ..errors import MultihomeError
from ..filters.nftables import DEFAULT_TABLE
from ..host.kernel_parameter_file import parse_file, setting_order
from ..host.kernel_parameters import DEFAULT_FILE, System
from ..host.networkd import FILE as NETWORKD_FILE
from ..host.networkd import NetworkdHost
from ..host.systemd import systemctl
from ..keeper_installation.host import KeeperHost
from ..keeper_installation.unit import COMMAND, LIBRARY
from ..keeper_installation.unit import NAME as KEEPER
from ..keeper_installation.unit import PATH as KEEPER_UNIT
from ..routing import changes
from ..routing.executor import Executor
from ..store.journal import RUN, interrupted
from ..store.persistence import DIRECTORY as STORE
from . import file_records, interface_groups, lines, network, packet_filters
from .attempts import attempted
from .model import VERSION, Scope, name_files
from .summary import summary

DEFAULT_OWNER = 109
# Loaded at the start: a program that cannot load it must not arm.
LOADED = (changes,)
KEEPER_WANTED = f"/etc/systemd/system/multi-user.target.wants/{KEEPER}"
KEEPER_FILES = (LIBRARY, KEEPER_UNIT, KEEPER_WANTED, COMMAND)
# What modules without the option confirm and administrators write there: it changes beside a run, and stays.
_LEFT_OUT = tuple(f"{STORE}/{name}" for name in ("hooks.d", "drained.json", "keys", "name_server"))
# A deployment publishes its domains after it has confirmed its changes.
DOMAINS = f"{STORE}/dns_records"
Captured = dict[str, Any]


class HostState:
    """The state of the host below ``root``. Tests replace the parts."""

    def __init__(
        self,
        root: str = "/",
        executor: Executor | None = None,
        system: System | None = None,
        keeper: KeeperHost | None = None,
        filters: Any = packet_filters,
    ) -> None:
        self.root = root
        self._executor = executor or Executor()
        self._system = system or System(root=root)
        self._keeper = keeper or KeeperHost(root)
        self._networkd = NetworkdHost(root)
        self._filters = filters

    def usual_scope(self) -> Scope:
        """Return the objects that every checkpoint covers: the usual ones, and those of the stored states."""
        owners, tables = [DEFAULT_OWNER], [DEFAULT_TABLE]
        for name in self._system.names(STORE):
            if name.endswith(".json") and name[0] != ".":
                content = self._stored(f"{STORE}/{name}")
                owners += [content["protocol"]] if isinstance(content.get("protocol"), int) else []
                tables += packet_filters.tables_of([content])
        parameters: list[str] = []
        with contextlib.suppress(ValueError, OSError):
            parameters = [item.path for item in parse_file(self._system.load(DEFAULT_FILE))]
        scope = Scope(parameters=tuple(parameters), files=(STORE, DEFAULT_FILE, NETWORKD_FILE, *self._keeper_files()))
        return scope | Scope(tuple(dict.fromkeys(owners)), tuple(dict.fromkeys(tables))) | name_files(owners)

    def _keeper_files(self) -> list[str]:
        """Return the files of the keeper; another program may have a file in the place of the command."""
        return [path for path in KEEPER_FILES if path != COMMAND or not self._keeper.has_foreign_command()]

    def _stored(self, path: str) -> dict[str, Any]:
        with contextlib.suppress(ValueError, OSError):
            content = json.loads(self._system.load(path) or "{}")
            if isinstance(content, dict):
                return content
        return {}

    def capture(self, scope: Scope, only: Scope | None = None) -> Captured:
        """Return the state of all objects of a scope as plain data; raises OSError or MultihomeError.

        With ``only``, a part of the scope, just that part is recorded, for a checkpoint that has the rest.
        """
        part = scope if only is None else only
        captured: Captured = {"version": VERSION, "scope": scope.as_json()}
        if only is None:
            captured.update(network.capture(self._executor, scope.owners))
            captured["groups"] = interface_groups.capture(self._executor)
            captured["keeper"] = {"running": self._is_running()}
        captured["filters"] = {table: self._filters.capture(table) for table in part.tables}
        captured["parameters"] = {path: self._parameter(path) for path in part.parameters}
        captured["files"] = file_records.capture(part.files, self.root, _LEFT_OUT)
        return captured

    def lines_up(self, scope: Scope) -> list[str]:
        """Return the lines that are up; raises ReadFailed."""
        return lines.up(self._lines(scope))

    def lines_down(self, captured: Captured) -> list[str]:
        """Return the lines that were up when this was recorded, and are down now; raises ReadFailed."""
        were_up = captured.get("lines") or []
        return lines.down(were_up, self._lines(Scope.of_json(captured["scope"]))) if were_up else []

    def _lines(self, scope: Scope) -> lines.Lines:
        snapshot = self._executor.read("route")
        return lines.lines(snapshot.messages["route"], snapshot.names, scope.owners)

    @staticmethod
    def summary(before: Captured, after: Captured) -> str:
        """Return the differences of two records in one line of text."""
        return summary(before, after)

    def differences(self, captured: Captured) -> list[str]:
        """Return the objects that are not as recorded, one line each; raises OSError or MultihomeError."""
        scope = Scope.of_json(captured["scope"])
        found = [f"not restored: {path}" for path in self._changed_files(captured)]
        found += [
            f"not restored: kernel parameter {path}"
            for path, value in captured["parameters"].items()
            if value is not None and self._parameter(path) not in (value, None)
        ]
        found += interface_groups.differences(captured, scope.owners, self._executor)
        found += network.differences(captured, scope.owners, self._executor)
        for table, form in captured["filters"].items():
            found += self._filters.differences(table, form)
        return found

    def _changed_files(self, captured: Captured) -> list[str]:
        return file_records.differences(*self._files(captured))

    def _files(self, captured: Captured) -> tuple[dict[str, Any], list[str], str, tuple[str, ...]]:
        left_out = (*_LEFT_OUT, *captured.get("left_out", ()))
        return captured["files"], captured["scope"]["files"], self.root, left_out

    def restore(self, captured: Captured) -> list[str]:
        """Restore everything but the service of the keeper; return what could not be restored."""
        scope = Scope.of_json(captured["scope"])
        steps: list[Callable[[], list[str]]] = [
            self._remove_journals,
            lambda: self._restore_files(captured),
            lambda: self._restore_parameters(captured),
            lambda: interface_groups.restore(captured, scope.owners, self._executor),
            lambda: network.restore(captured, scope.owners, self._executor),
        ]
        filters = captured["filters"].items()
        steps += [functools.partial(self._filters.restore, table, form) for table, form in filters]
        failures = [line for step in steps for line in attempted(step)]
        return failures or attempted(lambda: self.differences(captured))

    def _remove_journals(self) -> list[str]:
        # A module that was killed may have left one; the keeper would restore a state within the run.
        for journal in interrupted(os.path.join(self.root, RUN.lstrip("/"))):
            journal.remove()
        return []

    def restore_files(self, captured: Captured) -> list[str]:
        """Restore the files alone; return what could not be restored."""
        return attempted(lambda: file_records.restore(*self._files(captured)))

    def restore_at_boot(self, captured: Captured) -> list[str]:
        """Restore the files alone, before anything uses them, and have systemd know the keeper's unit as it is then."""
        changed = any(path.startswith(KEEPER_FILES) for path in self._changed_files(captured))
        failures = self.restore_files(captured)
        if not changed or not self._keeper.has_systemd():
            return failures
        # systemd has read its units already. Nothing may wait here for a unit that starts later.
        runs = captured["keeper"]["running"]
        commands = [["daemon-reload"], ["start" if runs else "stop", "--no-block", KEEPER]]
        for command in commands if runs else reversed(commands):
            failures += attempted(functools.partial(self._systemctl, *command))
        return failures

    @staticmethod
    def _systemctl(*arguments: str) -> list[str]:
        systemctl(*arguments, unit=KEEPER)
        return []

    def _restore_files(self, captured: Captured) -> list[str]:
        before = attempted_text(lambda: self._networkd.load(NETWORKD_FILE))
        failures = self.restore_files(captured)
        after = attempted_text(lambda: self._networkd.load(NETWORKD_FILE))
        # Without the file, a restart would remove what networkd did not make; and it knows a file that was there.
        if before and after and before != after and self._networkd.settings():
            failures += attempted(lambda: _done(self._networkd.restart))
        return failures

    def _restore_parameters(self, captured: Captured) -> list[str]:
        failures: list[str] = []
        for path in sorted(captured["parameters"], key=setting_order):
            value = captured["parameters"][path]
            # The interface of one may be gone.
            if value is None or self._parameter(path) in (value, None):
                continue
            try:
                self._system.set(path, value)
            except OSError as error:
                failures.append(f"kernel parameter {path} = {value}: {error.strerror or error}")
        return failures

    def keeper_changes(self, captured: Captured) -> bool:
        """Tell whether the keeper's files or its service are not as recorded; raises OSError."""
        if any(path.startswith(KEEPER_FILES) for path in self._changed_files(captured)):
            return True
        return bool(captured["keeper"]["running"]) != self._is_running()

    def stop_keeper(self, captured: Captured) -> list[str]:
        """Stop a keeper that did not run; call it before its files go, and without the modules' lock."""
        if captured["keeper"]["running"] or not self._is_running():
            return []
        return attempted(lambda: _done(self._keeper.stop))

    def start_keeper(self, captured: Captured, changed: bool) -> list[str]:
        """Have the service run as it did; call it without the modules' lock, which the service takes."""
        if not self._keeper.has_systemd() or self._misleads(captured):
            return []
        if captured["keeper"]["running"] and (changed or not self._is_running()):
            return attempted(lambda: _done(self._keeper.start))
        if changed:
            return attempted(lambda: _done(self._keeper.reload))
        return []

    def stop_misled_keeper(self, captured: Captured) -> bool:
        """Stop a keeper whose stored state could not be restored; tell whether it ran. Call it without the lock."""
        if not self._misleads(captured):
            return False
        with contextlib.suppress(OSError, MultihomeError):
            if self._is_running():
                systemctl("stop", KEEPER, unit=KEEPER)
                return True
        return False

    def _misleads(self, captured: Captured) -> bool:
        try:
            return any(path.startswith(STORE) for path in self._changed_files(captured))
        except OSError:
            return True

    def _is_running(self) -> bool:
        if not self._keeper.has_systemd() or not self._system.load(KEEPER_UNIT, follow=True):
            return False
        return self._keeper.is_running()

    def _parameter(self, path: str) -> str | None:
        try:
            return self._system.get(path)
        except OSError:
            return None


def _done(work: Callable[[], None]) -> list[str]:
    work()
    return []


def attempted_text(work: Callable[[], str | None]) -> str | None:
    """Return a text, None where it cannot be read."""
    try:
        return work()
    except OSError:
        return None


def joined(captured: Captured, more: Captured) -> Captured:
    """Return a checkpoint with the objects of a second one that it does not have."""
    result = {**captured, "scope": more["scope"]}
    for kind in ("filters", "parameters", "files"):
        result[kind] = {**more[kind], **captured[kind]}
    return result
