# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps systemd-networkd from removing foreign objects: a drop-in for networkd.conf(5), and a restart that loads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Entry
from ..errors import ForeignObject, StepFailed
from ..plan import Existing, Plan, plan
from .files import Files
from .networkd_facts import networkd_knows, networkd_process
from .systemd import systemctl

FILE = "/etc/systemd/networkd.conf.d/60-multihome.conf"
# The first line of a file that this collection may rewrite; a file without it belongs to another program.
HEADER = "# Kept by Ansible, multihome.linux.networkd_settings: change it there, not here."
_SERVICE = "systemd-networkd.service"
# World-readable, as every file of networkd.conf.d: networkd runs as its own user.
_MODE = 0o644
# Only this collection writes the file, so that all its settings have one owner.
_OURS = 0


class NetworkdHost(Files):
    """A host, and the systemd-networkd in its network namespace; raises OSError."""

    def settings(self) -> list[str]:
        """Return the needed settings that the running systemd-networkd supports; none if it does not run."""
        process = networkd_process()
        return networkd_knows(process) if process else []

    def restart(self) -> None:
        """Restart systemd-networkd: it reads networkd.conf only at its start (networkctl reload does not)."""
        systemctl("restart", _SERVICE, unit=_SERVICE)


@dataclass(frozen=True)
class Setting:
    """A setting of section [Network]."""

    name: str
    value: str = "no"

    @property
    def key(self) -> tuple[str]:
        """The name."""
        return (self.name,)

    def satisfied_by(self, other: Setting) -> bool:
        """Tell whether ``other`` has the same value."""
        return self == other

    def as_input(self) -> dict[str, Any]:
        """Return name and value."""
        return {"name": self.name, "value": self.value}

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class NetworkdEngine:
    """Converges the drop-in. Without a running systemd-networkd there is nothing to configure."""

    def __init__(self, state: str, host: NetworkdHost | None = None) -> None:
        self.host = host or NetworkdHost()
        self.present = state == "present"

    def read(self) -> str | None:
        """Return our file's text; raises ForeignObject when another program wrote it."""
        try:
            text = self.host.load(FILE)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        else:
            if text is None or text.startswith(f"{HEADER}\n"):
                return text
            reason = "it was not written by this collection"
        if self.present:
            raise ForeignObject([f"{FILE}: {reason}; move it away, it is not overwritten"])
        return None

    def plan(self, current: str | None) -> Plan[Setting]:
        """Return the plan."""
        names = self.host.settings() if self.present else []
        desired = [Entry(Setting(name), name) for name in names]
        existing = [Existing(setting, _OURS) for setting in parse(current)]
        # While systemd-networkd does not run, the file stays for its next start.
        return plan(desired, existing, _OURS, purge=bool(names) or not self.present)

    def apply(self, plan: Plan[Setting], _current: str | None) -> None:
        """Write the file and restart systemd-networkd; raises StepFailed."""
        try:
            self.host.save(FILE, render(plan.after), _MODE)
            self._restart()
        except OSError as error:
            raise StepFailed(f"write {FILE}", error.strerror or str(error)) from error

    def restore(self, _plan: Plan[Setting], current: str | None) -> list[str]:
        """Restore the file, and restart systemd-networkd; return what could not be restored."""
        try:
            self.host.save(FILE, current, _MODE)
            self._restart()
        except OSError as error:
            return [f"{FILE}: {error.strerror or error}"]
        return []

    def before(self, plan: Plan[Setting]) -> list[dict[str, Any]]:
        """Return the settings of the file."""
        return [setting.as_input() for setting in plan.before]

    def after(self, plan: Plan[Setting]) -> list[dict[str, Any]]:
        """Return the settings of the file after the plan."""
        return [setting.as_input() for setting in plan.after]

    def lines(self, plan: Plan[Setting]) -> dict[str, list[str]]:
        """Return one line a setting."""
        return {"before": [str(item) for item in plan.before], "after": [str(item) for item in plan.after]}

    def _restart(self) -> None:
        # Without the file, a restart would remove the objects of other programs.
        if self.present and self.host.settings():
            self.host.restart()


def render(settings: Sequence[Setting]) -> str | None:
    """Return the file's text; None without settings."""
    return "\n".join([HEADER, "[Network]", *sorted(map(str, settings)), ""]) if settings else None


def parse(text: str | None) -> list[Setting]:
    """Return the settings of a text that render() wrote."""
    pairs = (line.partition("=") for line in (text or "").splitlines() if not line.startswith(("#", "[")))
    return [Setting(name.strip(), value.strip()) for name, equals, value in pairs if equals]
