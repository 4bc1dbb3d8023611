# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs or removes the keeper: its code, its unit, and the running service. Driven by converge()."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ..entries import Entry
from ..errors import StepFailed
from ..host.systemd import CommandFailed
from ..plan import Action, Existing, Plan, plan
from .host import KeeperHost
from .unit import COMMAND, LIBRARY, NAME, PATH, PROGRAM, PROGRAM_TEXT, command_text, unit_text

# The command beside the engine: it exists also where another program has a file in the place of COMMAND.
COMMAND_IN_LIBRARY = f"{LIBRARY}/multihome"

# All of these files are ours, by their place.
_OURS = 0


def programs() -> tuple[Callable[[], int], Callable[[], int]]:
    """Return what the installed programs run: the keeper, and the command.

    Ansible packs everything that a module imports, wherever the import statement is; but only code imported at run time
    is compiled, and an installation runs no code of the keeper.
    """
    from ..command.main import main as command  # noqa: PLC0415 - see above
    from ..keeper.main import main as keeper  # noqa: PLC0415 - see above

    return keeper, command


@dataclass(frozen=True)
class Part:
    """A file of the keeper, or (``text`` None) the service, running and enabled."""

    path: str
    text: str | None = None

    @property
    def key(self) -> tuple[str]:
        """The path."""
        return (self.path,)

    def satisfied_by(self, other: Part) -> bool:
        """Tell whether ``other`` holds the same text."""
        return self == other

    def as_input(self) -> dict[str, Any]:
        """Return which file or service it is."""
        return {"service" if self.text is None else "file": self.path}

    def __str__(self) -> str:
        return f"{'service' if self.text is None else 'file'} {self.path}"


@dataclass(frozen=True)
class Installation:
    """The current installation: texts by path, whether the service runs and is enabled, and leftovers.

    ``foreign_command`` says that a file of another program is in the place of the command.
    """

    texts: Mapping[str, str]
    running: bool
    leftovers: bool
    foreign_command: bool = False


class KeeperEngine:
    """Converges the keeper's installation. ``code`` is the package to install, by path below it."""

    def __init__(self, state: str, code: Mapping[str, str], host: KeeperHost | None = None) -> None:
        self.host = host or KeeperHost()
        self.systemd = self.host.has_systemd()
        self.present = state == "present"
        self.foreign_command = False
        self._code = code
        texts = {f"{LIBRARY}/_core/{path}": text for path, text in code.items()}
        texts[PROGRAM] = PROGRAM_TEXT
        texts[COMMAND] = texts[COMMAND_IN_LIBRARY] = command_text(self.host.python())
        if self.systemd:
            texts[PATH] = unit_text(self.host.python(), self.host.destinations())
        self._desired = texts if self.present else {}

    def read(self) -> Installation:
        """Return what is installed."""
        texts = self.host.installed()
        running = self.systemd and PATH in texts and self.host.is_running()
        self.foreign_command = self.host.has_foreign_command()
        return Installation(texts, running, self.host.has_leftovers(), self.foreign_command)

    def plan(self, current: Installation) -> Plan[Part]:
        """Return the plan: files that differ, and the service when it or any file differs."""
        left_out = {COMMAND} if current.foreign_command else set()
        desired = [Entry(Part(path, text), path) for path, text in self._desired.items() if path not in left_out]
        existing = [Existing(Part(path, text), _OURS) for path, text in current.texts.items()]
        result = plan(desired, existing, _OURS, purge=True)
        actions: list[Action[Part]] = list(result.actions)
        if self.present and self.systemd and (actions or not current.running):
            actions.append(Action("replace" if current.running else "add", Part(NAME)))
        if not self.present and PATH in current.texts and self.systemd:
            actions.insert(0, Action("remove", Part(NAME)))
        if not self.present and current.leftovers and not actions:
            actions.append(Action("remove", Part(LIBRARY, "")))
        return Plan(tuple(actions), result.before, result.after)

    def apply(self, plan: Plan[Part], _current: Installation) -> None:
        """Carry the plan out; raises StepFailed."""
        try:
            self._carry_out(plan.actions)
        except OSError as error:
            raise StepFailed("cannot install the keeper", str(error)) from error

    def restore(self, plan: Plan[Part], current: Installation) -> list[str]:
        """Restore the files of ``current``, and the service if it ran; return what could not be restored."""
        try:
            if self.systemd and PATH not in current.texts:
                with contextlib.suppress(CommandFailed):
                    self.host.stop()
            for action in plan.actions:
                if action.object.text is not None and action.object.path != LIBRARY:
                    self.host.save(action.object.path, current.texts.get(action.object.path))
            if not current.texts:
                self.host.remove_leftovers()
            if self.systemd and current.running:
                self.host.start()
            elif self.systemd:
                self.host.reload()
        except OSError as error:
            return [str(error)]
        return []

    def before(self, plan: Plan[Part]) -> list[dict[str, Any]]:
        """Return the files that were installed."""
        return [part.as_input() for part in plan.before]

    def after(self, plan: Plan[Part]) -> list[dict[str, Any]]:
        """Return the files that are installed after the plan."""
        return [part.as_input() for part in plan.after]

    def lines(self, plan: Plan[Part]) -> dict[str, list[str]]:
        """Return one line a file that changes."""
        changed = {action.object.path for action in plan.actions}
        return {
            side: [str(part) for part in parts if part.path in changed]
            for side, parts in (("before", plan.before), ("after", plan.after))
        }

    def _carry_out(self, actions: Sequence[Action[Part]]) -> None:
        for action in actions:
            item = action.object
            if item.text is None and action.op == "remove":
                self.host.stop()
            elif item.text is None:
                self.host.compile(self._code)
                self.host.start()
            elif item.path != LIBRARY:
                self.host.save(item.path, None if action.op == "remove" else item.text)
        if not self.present:
            self.host.remove_leftovers()
            if self.systemd:
                self.host.reload()
        elif not self.systemd:
            self.host.compile(self._code)
        self.host.remove_sent_engines()
