# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's way into a host of the lab: each command is run by nsenter(1), as root of that host."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: lab
short_description: Run tasks on a host of the lab.
description:
  - Enters the namespaces of a host of a lab that C(python3 -m tests.lab up) made.
  - Commands run there as root, so nothing is gained by C(become).
author:
  - multihome.linux contributors
options:
  lab_name:
    description: Name of the lab.
    type: str
    default: default
    vars:
      - name: lab_name
    env:
      - name: LAB_NAME
  lab_host:
    description: Name of the host in the lab, where it is not the one that Ansible knows it by.
    type: str
    vars:
      - name: lab_host
  lab_from:
    description:
      - A host of the lab from which packets have to reach O(lab_address), before and after each command.
      - Without it, no packet is sent, so a connection cannot be cut.
    type: str
    vars:
      - name: lab_from
  lab_address:
    description: The address for O(lab_from).
    type: str
    vars:
      - name: lab_address
extends_documentation_fragment:
  - connection_pipelining
"""


def _load_state() -> ModuleType:
    """Load tests/lab/state.py by its path: Ansible knows this plugin by its path, and not its package."""
    name = "multihome_lab_state"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "state.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


class Connection(ConnectionBase):  # type: ignore[misc]  # ansible-core has no types
    """A connection to one host of one lab."""

    transport = "lab"
    has_pipelining = True
    _connected = False

    def _connect(self) -> Connection:
        """Look up the host; every command enters it anew."""
        if not self._connected:
            state = _load_state()
            try:
                record = state.running(self.get_option("lab_name"))
                # Not inventory_hostname: in a delegated task that is the host which delegates.
                host = self.get_option("lab_host") or self._play_context.remote_addr
                self._enter: list[str] = state.enter_command(record, host)
                place = self.get_option("lab_from")
                self._from: list[str] = state.enter_command(record, place) if place else []
            except state.LabError as error:
                raise AnsibleConnectionFailure(str(error)) from error
            self._environment: dict[str, str] = state.host_environment()
            self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run `cmd`, a line for the shell as Ansible hands it over, on the host."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._run(["/bin/sh", "-c", to_text(cmd)], in_data)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller to the host."""
        super().put_file(in_path, out_path)
        try:
            content = Path(in_path).read_bytes()
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}") from error
        self._transfer(["dd", "status=none", f"of={out_path}"], content)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the host to the controller."""
        super().fetch_file(in_path, out_path)
        Path(out_path).write_bytes(self._transfer(["cat", "--", in_path], None))

    def reset(self) -> None:
        """Enter the host again; every command does."""
        self.close()

    def close(self) -> None:
        """Forget the host; there is nothing to close."""
        self._connected = False

    def _transfer(self, words: list[str], content: bytes | None) -> bytes:
        code, output, errors = self._run(words, content)
        if code:
            raise AnsibleConnectionFailure(f"{' '.join(words)}: {to_text(errors).strip()}")
        return output

    def _run(self, words: list[str], content: bytes | None) -> tuple[int, bytes, bytes]:
        self._connect()
        self._require_answer()
        arguments: dict[str, Any] = {"stdin": subprocess.DEVNULL} if content is None else {"input": content}
        result = subprocess.run(
            [*self._enter, *words], capture_output=True, env=self._environment, check=False, **arguments
        )
        # A command whose answer cannot come back is lost, also if it did its work.
        self._require_answer()
        return result.returncode, result.stdout, result.stderr

    def _require_answer(self) -> None:
        """Raise AnsibleConnectionFailure if packets do not get through any more."""
        if not self._from:
            return
        words = ["ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "1", self.get_option("lab_address")]
        result = subprocess.run(
            [*self._from, *words], capture_output=True, env=self._environment, check=False, stdin=subprocess.DEVNULL
        )
        if result.returncode:
            place, address = self.get_option("lab_from"), self.get_option("lab_address")
            raise AnsibleConnectionFailure(f"{address} does not answer {place} any more")
