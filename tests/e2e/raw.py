# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask servers by protocols that have no ports."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..lab.lab import Lab
from . import raw_packets
from .offers import CLIENT

PROGRAM = str(Path(raw_packets.__file__))
GRE, ESP, AH = 47, 50, 51


@contextlib.contextmanager
def answering(lab: Lab, host: str, protocol: int, *addresses: str) -> Iterator[None]:
    """Let a host answer packets of a protocol to its addresses for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            words = [sys.executable, PROGRAM, "answer", str(protocol), address]
            process = stack.enter_context(lab.popen(host, *words, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield


def ask(lab: Lab, protocol: int, address: str, host: str = CLIENT) -> Any:
    """What answers packets of a protocol to an address, None for nobody."""
    return json.loads(lab.exec(host, sys.executable, PROGRAM, "ask", str(protocol), address).stdout)
