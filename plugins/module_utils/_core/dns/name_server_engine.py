# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name server of a host: its files and its service as the parts of one plan.

It is an instance of Knot DNS of its own. The configuration and the service of the distribution are not touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..entries import Entry, Form, Options
from ..errors import ForeignObject, InvalidInput, ReadFailed, StepFailed, Unsupported
from ..fields import listed
from ..host import listeners, programs
from ..host.distributions import packages
from ..host.files import Files
from ..host.requirements import tool
from ..host.systemd import CommandFailed, systemctl
from ..plan import Action, Existing, Plan, plan
from . import keys, stored
from .client import Client, ServerFault
from .keys import Key
from .name_server import (
    CONFIGURATION,
    DIRECTORY,
    LOOPBACK,
    LOOPBACK_PORT,
    NAME,
    PORT,
    RUNTIME,
    STATE,
    UNIT,
    NameServer,
    ServedZone,
    parse,
    unit_text,
)

_OURS = 0
# So long a started server may take until it answers; it loads a small zone within a second.
PATIENCE = 15.0


@dataclass(frozen=True)
class Part:
    """A file, or (``text`` None) the service. The text may hold a secret, and is not shown."""

    path: str
    text: str | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """The path."""
        return (self.path,)

    def satisfied_by(self, other: Part) -> bool:
        """Tell whether ``other`` has the same text."""
        return self == other

    def as_input(self) -> Form:
        """Return which file or service it is."""
        return {"service" if self.text is None else "file": self.path}

    def __str__(self) -> str:
        return f"{'service' if self.text is None else 'file'} {self.path}"


@dataclass(frozen=True)
class Installed:
    """The texts of the files by path, and whether the service runs."""

    texts: Mapping[str, str]
    running: bool


class NameServerHost:
    """The host below ``root``. Methods that write raise OSError."""

    def __init__(self, root: str = "/") -> None:
        self.files = Files(root)
        self.has_systemd = os.path.isdir(self.files.path_of("/run/systemd/system"))

    def program(self, name: str) -> str:
        """Return the path of a program of Knot DNS; raises Unsupported."""
        path = tool(name)
        if path is None:
            package = packages()["knot"]
            raise Unsupported(name, "Knot DNS", "none on this host", f"install the package {package}")
        return path

    def texts(self) -> dict[str, str]:
        """Return the texts of the files."""
        names = (UNIT, *(f"{DIRECTORY}/{name}" for name in self.files.names(DIRECTORY)))
        found = {path: self.files.load(path) for path in names if not os.path.basename(path).startswith(".")}
        return {path: text for path, text in found.items() if text is not None}

    def is_running(self) -> bool:
        """Tell whether the server runs; with systemd, also whether it is enabled, with the current unit."""
        if not self.has_systemd:
            return os.path.exists(self.files.path_of(f"{RUNTIME}/knot.sock"))
        shown = systemctl("show", "--property=ActiveState,UnitFileState,NeedDaemonReload", NAME, unit=NAME)
        return {"ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no"} <= set(shown.split())

    def others_at(self, address: str, port: int) -> list[str]:
        """Return the other programs that use a port at an address."""
        own = [f"{place}/{os.path.basename(CONFIGURATION)}" for place in (RUNTIME, DIRECTORY)]
        found = listeners.users(address, port)
        # Beside the server itself nobody else has the address, whatever else uses the port at other ones.
        return [] if any(path in each.command for each in found for path in own) else list(map(str, found))

    def start(self) -> None:
        """Start the server, or start it again. Without systemd that is the task of another program."""
        if self.has_systemd:
            systemctl("daemon-reload", unit=NAME)
            systemctl("enable", NAME, unit=NAME)
            systemctl("restart", NAME, unit=NAME)
            return
        for directory in (RUNTIME, STATE):
            os.makedirs(self.files.path_of(directory), 0o750, exist_ok=True)
        if self.is_running():
            self.control("stop")

    def reload(self) -> None:
        """Let the server read its files again."""
        if self.has_systemd:
            systemctl("reload", NAME, unit=NAME)
        else:
            self.control("reload")

    def stop(self) -> None:
        """Stop the server, and remove what it stored."""
        if self.has_systemd:
            with contextlib.suppress(CommandFailed):
                systemctl("disable", "--now", NAME, unit=NAME)
        elif self.is_running():
            self.control("stop")

    def clean(self) -> None:
        """Remove the unit from systemd, and the server's own data, once its files are gone."""
        if self.has_systemd:
            systemctl("daemon-reload", unit=NAME)
        shutil.rmtree(self.files.path_of(STATE), ignore_errors=True)
        shutil.rmtree(self.files.path_of(RUNTIME), ignore_errors=True)

    def control(self, command: str) -> None:
        """Give a command to the running server; raises OSError when it does not take it."""
        socket = self.files.path_of(f"{RUNTIME}/knot.sock")
        status, output, errors = programs.run(self.program("knotc"), ["-s", socket, command], timeout=60)
        if status:
            raise OSError(f"knotc {command}: {(errors or output).strip()}")


class NameServerEngine:
    """Converges the name server: the one of the options, or none without a zone."""

    def __init__(self, server: NameServer, host: NameServerHost | None = None, patience: float = PATIENCE) -> None:
        self.server, self.host, self.patience = server, host or NameServerHost(), patience

    @classmethod
    def from_options(cls, options: Options) -> NameServerEngine:
        """Return the engine for the options of name_server; raises InvalidInput."""
        return cls(parse(options))

    def read(self) -> Installed:
        """Return what is installed.

        Raises ReadFailed, InvalidInput for a key without a secret, ForeignObject where another program has the port,
        and Unsupported.
        """
        try:
            texts = self.host.texts()
            self.server = replace(self.server, zones=tuple(self._with_keys(zone) for zone in self.server.zones))
            running = CONFIGURATION in texts and self.host.is_running()
        except OSError as error:
            raise ReadFailed(f"the name server: {error}") from error
        if self.server.zones:
            self._refuse_others()
        return Installed(texts, running)

    def plan(self, current: Installed) -> Plan[Part]:
        """Return the plan: the files that differ, then the service."""
        desired = [Entry(Part(path, text), path) for path, text in self._texts().items()]
        existing = [Existing(Part(path, text), _OURS) for path, text in current.texts.items()]
        found = plan(desired, existing, _OURS, purge=True)
        actions: list[Action[Part]] = list(found.actions)
        if desired and (actions or (self.host.has_systemd and not current.running)):
            actions.append(Action("replace" if current.running else "add", Part(NAME)))
        elif not desired and current.texts:
            actions.insert(0, Action("remove", Part(NAME)))
        return Plan(tuple(actions), found.before, found.after)

    def apply(self, plan: Plan[Part], current: Installed) -> None:
        """Carry the plan out, and wait until the server answers for each zone; raises StepFailed."""
        doing = "install the name server"
        try:
            for action in plan.actions:
                doing = str(action)
                if action.object.text is not None:
                    self._save(action.object.path, None if action.op == "remove" else action.object.text)
                elif action.op == "remove":
                    self.host.stop()
                else:
                    self._run_with(current)
            if not self.server.zones:
                self.host.clean()
        except OSError as error:
            raise StepFailed(doing, str(error)) from error
        faults = self.faults()
        if faults:
            raise StepFailed("start the name server", "; ".join(faults) + self._hint())

    def restore(self, plan: Plan[Part], current: Installed) -> list[str]:
        """Restore the files of ``current``, and the service; return what could not be restored."""
        try:
            for action in plan.actions:
                if action.object.text is not None:
                    self._save(action.object.path, current.texts.get(action.object.path))
            if current.running:
                self.host.start()
            else:
                self.host.stop()
                if not current.texts:
                    self.host.clean()
        except OSError as error:
            return [str(error)]
        return []

    def faults(self) -> list[str]:
        """Return why the server does not answer for its zones, after some patience; none when it does."""
        deadline = time.monotonic() + self.patience
        while True:
            found = [fault for zone in self.server.zones if (fault := _fault(zone))]
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(0.1)

    def before(self, plan: Plan[Part]) -> list[Form]:
        """Return the files before the plan."""
        return [part.as_input() for part in plan.before]

    def after(self, plan: Plan[Part]) -> list[Form]:
        """Return the files after the plan."""
        return [part.as_input() for part in plan.after]

    def lines(self, plan: Plan[Part]) -> dict[str, list[str]]:
        """Return the changed files for the diff: of zones the text, of others the name, because of the keys."""
        changed = {action.object.path for action in plan.actions}
        found: dict[str, list[str]] = {}
        for side, parts in (("before", plan.before), ("after", plan.after)):
            shown = [part for part in parts if part.path in changed]
            found[side] = [row for part in shown for row in _shown(part)]
        return found

    def _texts(self) -> dict[str, str]:
        if not self.server.zones:
            return {}
        systemd = self.host.has_systemd
        # Without systemd nothing copies the files to where another user could read them.
        texts = {CONFIGURATION: self.server.configuration(RUNTIME if systemd else DIRECTORY)}
        texts.update({f"{DIRECTORY}/{zone.file}": zone.text() for zone in self.server.zones})
        if systemd:
            texts[UNIT] = unit_text(self.server, self.host.program("knotd"), self.host.program("knotc"))
        return texts

    def _run_with(self, current: Installed) -> None:
        """Start the server; a running one reads its files again unless its addresses or its unit changed."""
        texts = self._texts()
        same = [_listens(current.texts.get(CONFIGURATION, "")), current.texts.get(UNIT)]
        if current.running and same == [_listens(texts[CONFIGURATION]), texts.get(UNIT)]:
            self.host.reload()
        else:
            self.host.start()

    def _save(self, path: str, text: str | None) -> None:
        if path == UNIT and text is None:
            # Not through Files, which removes directories that are empty then: this one is the system's.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.host.files.path_of(path))
            return
        self.host.files.save(path, text, 0o644 if path == UNIT else 0o600)

    def _refuse_others(self) -> None:
        """Raise ForeignObject when another program has a port that the server needs: it would be asked instead."""
        places = [*((address, PORT) for address in self.server.listen), (LOOPBACK, LOOPBACK_PORT)]
        found = []
        for address, port in places:
            others = self.host.others_at(address, port)
            if others:
                found.append(f"{address} port {port}: {listed(others)} answers there")
        if found:
            remedy = "let it listen at other addresses only, such as 127.0.0.1, or stop it"
            raise ForeignObject([*found, f"nothing was changed; {remedy}"])

    def _with_keys(self, zone: ServedZone) -> ServedZone:
        return replace(self._with_secret(zone), earlier=self._earlier_key(zone))

    def _earlier_key(self, zone: ServedZone) -> Key | None:
        """Return the key that the keeper uses until the zone is stored with the new one."""
        for stored_zone in stored.zones(self.host.files):
            if stored_zone["zone"] == zone.name and stored_zone["servers"] == [LOOPBACK]:
                with contextlib.suppress(ValueError, InvalidInput):
                    key = Key.parse(stored_zone)
                    return keys.load(key, self.host.files) if key and key.name != zone.key.name else None
        return None

    def _with_secret(self, zone: ServedZone) -> ServedZone:
        if zone.key.secret:
            return zone
        try:
            key = keys.load(zone.key, self.host.files)
        except ValueError as error:
            raise InvalidInput([f"{zone.key.path}: {error}"]) from None
        if key is None:
            raise InvalidInput([f"key_secrets has no secret of {zone.key.name}, and there is no file {zone.key.path}"])
        return replace(zone, key=key)

    def _hint(self) -> str:
        if self.host.has_systemd:
            return f"; see journalctl -u {NAME}"
        return f"; this host does not run systemd: have its service manager run knotd -c {CONFIGURATION}"


def _fault(zone: ServedZone) -> str:
    try:
        Client(zone.name, LOOPBACK, zone.key, port=LOOPBACK_PORT).read([])
    except ServerFault as error:
        return str(error)
    return ""


def _listens(configuration: str) -> list[str]:
    return [row for row in configuration.splitlines() if row.startswith("  listen:")]


def _shown(part: Part) -> list[str]:
    text: Any = part.text if part.path.endswith(".zone") else None
    return [str(part), *(text.splitlines() if text else ())]
