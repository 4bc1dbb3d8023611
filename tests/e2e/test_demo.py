# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo` shows that everything holds, fails where it does not, and leaves nothing, also when interrupted."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.demo import __main__ as demo
from ansible_collections.multihome.linux.tests.demo.screen import WIDTH, Screen
from ansible_collections.multihome.linux.tests.lab.state import CHECKOUT

COMMAND = [sys.executable, "-m", "tests.demo"]


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def labs(pid: int) -> list[Path]:
    """Return what is left of the lab of a demonstration."""
    return list((CHECKOUT / ".cache" / "lab").glob(f"demo-{pid}"))


def test_it_ends_with_every_line_service_and_family_reached() -> None:
    with subprocess.Popen(COMMAND, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        output = process.communicate(timeout=900)[0]
    assert process.returncode == 0, output
    assert "\x1b" not in output
    assert [line for line in output.splitlines() if len(line) > WIDTH] == []
    again = output[output.index("Deploy again") : output.index("Around it")]
    assert re.findall(r"✓ (\S+) +ok=\d+ changed=0", again) == ["fw-a", "fw-b", "web1"]
    moved = output[output.index("Line A dies silently") : output.index("Every line, service and family")]
    assert "✓ ISP A drops everything: the server goes out by line interlink" in moved
    assert "✓ a deployment during the outage changes nothing" in moved
    assert re.search(r"unicom IPv[46] is down: no answer for 1.2 s", moved)
    assert "✓ multihome status names line unicom, and ends with status 1" in moved
    named = output[output.index("the name of the service loses its address") :]
    assert re.search(r"✓ ISP A drops everything: the name has \S+ only", named)
    assert re.search(r"✓ line A is mended: the name has \S+ again", named)
    cut = output[output.index("A deployment cuts its own connection") : output.index("Every line, service and family")]
    assert "✓ web1 cannot be reached any more: " in cut
    assert "✓ unconfirmed, web1 restored its earlier state: both lines serve" in cut
    matrix = output[output.index("Every line, service and family") :]
    assert len(re.findall(r"IPv4 ✓   IPv6 ✓", matrix)) == 6
    assert "✗" not in output
    assert labs(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(number: signal.Signals) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        COMMAND, cwd=CHECKOUT, text=True, start_new_session=True, stdout=pipe, stderr=pipe
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if "Deploy" in line:
                break
        assert labs(process.pid) != []
        os.killpg(process.pid, number)  # as a terminal does: to all that it runs
        output = process.stdout.read()
        assert process.wait(timeout=60) == 130
        assert "Interrupted" in output
        assert process.stderr.read() == ""
    assert labs(process.pid) == []


def test_it_fails_where_something_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lab on which nothing is deployed."""

    def build_only(self: demo.Demo) -> None:
        self.build()
        self.matrix()

    monkeypatch.setattr(demo.Demo, "run", build_only)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert demo.main() == 1
    output = capsys.readouterr().out
    assert "line interlink, query IPv6, udp://[2001:db8:b::20]:53: no answer" in output
    assert "NOT everything held" in output
    assert labs(os.getpid()) == []


def test_on_a_terminal_it_is_in_colour_unless_that_is_not_wanted() -> None:
    shown = {}
    for name, variables in (("colour", {"TERM": "xterm"}), ("plain", {"TERM": "xterm", "NO_COLOR": "1"})):
        terminal = Terminal()
        screen = Screen(terminal, variables)
        with screen.step("A step"):
            screen.busy("something that takes its time " * 9)
            screen.bad("wrong " * 30)
        shown[name] = terminal.getvalue()
    assert "\x1b[31m" in shown["colour"]
    assert "\x1b[1m" in shown["colour"]
    assert re.search(r"\x1b\[[0-9;]*m", shown["plain"]) is None
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*[mK]", "", shown["colour"]))
    assert max(map(len, lines)) == WIDTH
