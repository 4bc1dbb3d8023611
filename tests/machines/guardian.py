# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a lab with machines down when its standard input ends, so also when whoever held the other end is killed.

`python -m tests.machines.guardian LAB`, in a session of its own, where no Ctrl-C reaches it.
"""

from __future__ import annotations

import sys

from ..lab.lab import Lab
from . import control_groups

if __name__ == "__main__":
    name = sys.argv[1]
    sys.stdin.buffer.read()
    Lab(name).down()
    control_groups.remove(name)
