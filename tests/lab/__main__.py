# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's commands: `python3 -m tests.lab up|down|status|exec|break|heal|check`."""

from __future__ import annotations

import os
import sys

from . import state


def execute(words: list[str]) -> None:
    """`exec [--name NAME] HOST -- COMMAND…`: become the command on the host; nothing else is imported for it."""
    name = os.environ.get("LAB_NAME", "default")
    if words[:1] == ["--name"] and len(words) > 1:
        name, words = words[1], words[2:]
    host, command = words[:1], words[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not host or not command:
        sys.exit("usage: python3 -m tests.lab exec [--name NAME] HOST -- COMMAND [ARGUMENT …]")
    line = [*state.enter_command(state.running(name), host[0]), *command]
    os.execve(line[0], line, state.host_environment())


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["exec"]:
            execute(sys.argv[2:])
        from . import commands

        commands.main(sys.argv[1:])
    except state.LabError as error:
        sys.exit(f"lab: {error}")
