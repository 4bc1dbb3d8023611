# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome status`: what it judges, what it shows, and that it fits on a terminal of 80 columns."""

from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.command import main as command_main
from ansible_collections.multihome.linux.plugins.module_utils._core.command import status
from ansible_collections.multihome.linux.plugins.module_utils._core.command.host_state import (
    HostState,
    LineState,
    line_states,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.command.terminal import WIDTH, Page, age, has_colour

NOW = datetime.datetime(2026, 11, 28, 14, 0, tzinfo=datetime.UTC)
LONG_NAME = "a-line-with-the-longest-name-that-may-be-given-to-any-line-of-64"
LONG_ADDRESS = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
KEEPER: dict[str, Any] = {
    "running": True,
    "since": "2026-11-22T19:35:03Z",
    "repairs": 3,
    "last_repair": {"time": "2026-11-28T13:59:00Z", "kind": "policy_routing", "object": "IPv4 rule 23010"},
    "damped": [],
    "waiting": [],
    "taken": [],
    "taken_translations": [],
    "refused": [],
    "last_error": None,
}


def line(name: str, family: str = "ipv4", state: str = "up", **more: Any) -> LineState:
    usable = state in ("up", "suspect", "unknown")
    return LineState(name, family, state, **{"usable": usable, "seconds": 7200.0, "loss_percent": 0.0, **more})


def host(*lines: LineState, keeper: dict[str, Any] | None = None, **more: Any) -> HostState:
    known = {"installed": True, "health_age": 3.0 if lines else None, **more}
    return HostState("fw-a", keeper=KEEPER | (keeper or {}), lines=lines, **known)


def text(state: HostState, colour: bool = False) -> str:
    page = Page(colour)
    status.render(state, page, NOW)
    return page.text()


THREE = (
    line("unicom", rtt_milliseconds=12.3, address="203.0.113.10"),
    line("unicom", "ipv6", degraded=True, loss_percent=27.0, rtt_milliseconds=612.0, address="2001:db8:a::10"),
    line("interlink", state="down", reason="no answer for 1.2 s", seconds=12.0, loss_percent=100.0, hold_seconds=40.0),
    line("interlink", "ipv6", "drained", address=LONG_ADDRESS),
    line(LONG_NAME, state="unknown", alarm="a packet filter of this host drops its probes", loss_percent=None),
    line(LONG_NAME, "ipv6", "recovering", reason="answers again, up after 40 s", address=LONG_ADDRESS),
)
FULL = host(
    *THREE,
    keeper={
        "waiting": [
            {
                "file": "policy_routing.json",
                "object": f"IPv6 route default via {LONG_ADDRESS} (table 1003, dev wan17)",
                "reason": "interface wan17 does not exist",
            }
        ],
        "damped": [
            {"object": f"IPv6 rule 23010 (source {LONG_ADDRESS})", "repairs": 13, "next_try": "2026-11-28T14:05:00Z"}
        ],
        "refused": [{"file": "nat_rules.json", "reason": "others than root may write to it"}],
        "taken": [
            {"message": f"replies of line {LONG_NAME} from {LONG_ADDRESS} are taken", "remedy": "remove that rule"}
        ],
        "taken_translations": [
            {
                "order": "first",
                "message": "nft table ip nat, chain PREROUTING: its rule DNAT port 80 of Docker is asked first, and "
                "takes connections of the entry web",
                "remedy": "remove the rule, have Docker use another port or address for it, or remove the entry",
            }
        ],
        "last_error": {"time": "2026-11-28T13:00:00Z", "error": "nat_rules.json: not applied"},
    },
    unwatched=["spare"],
    interrupted=["/run/multihome/journal.nat_rules.json"],
    drained={"interlink": {"reason": "new modem", "until": "2026-11-29 04:00 UTC"}},
)


def test_three_lines_in_two_families_with_the_longest_names_fit_on_80_columns() -> None:
    shown = text(FULL)
    assert max(map(len, shown.splitlines())) <= WIDTH
    for word in (
        LONG_NAME,
        LONG_ADDRESS,
        "no answer for 1.2 s",
        "used again after 40 s of answers",
        "wan17",
        "14:05:00",
        "DNAT port 80 of Docker",
        "have Docker use another port",
    ):
        assert word in " ".join(shown.split())
    assert "drained until 2026-11-29 04:00 UTC: new modem" in " ".join(shown.split())
    assert shown.isascii()


def test_the_text_is_as_it_is_documented() -> None:
    shown = text(host(THREE[0], THREE[2]))
    assert (
        shown
        == """\
WARNING   fw-a
  - interlink IPv4 is down: no answer for 1.2 s
    multihome explain interlink

LINE             STATE            SINCE    LOSS    LATENCY
unicom     IPv4  up                 2 h     0 %      12 ms
interlink  IPv4  down              12 s   100 %          -
                 no answer for 1.2 s
                 used again after 40 s of answers

Outgoing   IPv4: unicom

Keeper     started 5 d 18 h ago, 3 objects restored since then
           last: IPv4 rule 23010, 1 min ago
"""
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (host(), "ok"),
        (host(line("a"), line("b")), "ok"),
        (host(line("a"), line("b", state="drained")), "ok"),
        (host(line("a"), line("b", state="suspect")), "ok"),
        (host(line("a"), line("b", state="down")), "warning"),
        (host(line("a"), line("b", state="recovering")), "warning"),
        (host(line("a"), line("b", degraded=True)), "warning"),
        (host(line("a"), line("b", state="unknown", alarm="blocked")), "warning"),
        (host(line("a"), keeper={"waiting": [{"object": "x", "reason": "y"}]}), "warning"),
        (host(line("a"), keeper={"damped": [{"object": "x"}]}), "warning"),
        (host(line("a"), interrupted=["/run/multihome/journal.x"]), "warning"),
        (host(line("a", state="down"), line("b", state="down")), "critical"),
        (host(line("a"), line("a", "ipv6", "down"), line("b", "ipv6", "down")), "critical"),
        (host(line("a"), keeper={"taken": [{"message": "replies"}]}), "critical"),
        (host(line("a"), keeper={"taken_translations": [{"order": "first", "message": "x"}]}), "critical"),
        (host(line("a"), keeper={"taken_translations": [{"order": "unknown", "message": "x"}]}), "warning"),
        (host(line("a"), keeper={"refused": [{"file": "x", "reason": "y"}]}), "critical"),
        (host(line("a"), keeper={"running": False}), "unknown"),
        (host(line("a"), health_age=61.0), "unknown"),
        (HostState("h", False, {"running": False}), "unknown"),
    ],
)
def test_the_level_and_the_exit_status_follow_from_the_worst_problem(state: HostState, expected: str) -> None:
    found = status.problems(state)
    assert status.level(found) == expected
    assert status.as_json(state)["status"] == expected
    assert text(state).startswith(expected.upper())
    assert status.EXIT[expected] == ["ok", "warning", "critical", "unknown"].index(expected)


def test_the_worst_problem_comes_first() -> None:
    levels = [problem.level for problem in status.problems(FULL)]
    assert levels[0] == "critical"
    assert levels == sorted(levels, key=["critical", "unknown", "warning"].index)


def test_programs_get_everything_as_json() -> None:
    shown = json.loads(json.dumps(status.as_json(FULL)))
    assert [(each["line"], each["family"]) for each in shown["lines"]] == [(x.line, x.family) for x in THREE]
    assert shown["lines"][2]["drained"] == {"reason": "new modem", "until": "2026-11-29 04:00 UTC"}
    assert shown["outgoing"] == {"ipv4": ["unicom", LONG_NAME], "ipv6": ["unicom"]}
    assert shown["keeper"]["repairs"] == 3


def test_of_many_waiting_objects_the_first_are_shown_and_the_rest_counted() -> None:
    waiting = [{"object": f"object {number}", "reason": "no interface"} for number in range(30)]
    shown = text(host(keeper={"waiting": waiting}))
    assert "object 7:" in shown
    assert "object 8:" not in shown
    assert "and 22 more" in shown


def test_the_health_of_an_earlier_boot_says_nothing() -> None:
    shown = {"state": "up", "usable": True, "seconds": 5.0}
    health = {"at": 100.0, "boot": "this", "lines": {"a": {"ipv4": shown}}}
    found, passed = line_states(health, 110.0, "this")
    assert (found[0].seconds, passed) == (15.0, 10.0)
    assert line_states(health, 110.0, "other") == ([], None)


def test_a_file_that_makes_no_sense_is_no_traceback() -> None:
    lines: Any
    for lines in (None, [], {"a": None}, {"a": {"ipv4": 3}}, {"a": {"ipv4": {"seconds": "x", "loss_percent": True}}}):
        found, _age = line_states({"at": 1.0, "boot": "", "lines": lines}, 2.0, "")
        text(host(*found))


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_colours_only_on_a_terminal_and_not_against_no_color() -> None:
    assert has_colour(Terminal(), {"TERM": "xterm"})
    assert not has_colour(io.StringIO(), {"TERM": "xterm"})
    assert not has_colour(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert not has_colour(Terminal(), {"TERM": "dumb"})
    assert not has_colour(Terminal(), {})
    assert "\x1b[" in text(FULL, colour=True)
    assert "\x1b[" not in text(FULL)


def test_control_characters_of_the_host_do_not_reach_the_terminal() -> None:
    shown = text(host(line("a", state="down", reason="\x1b[2Jgone")))
    assert "\x1b" not in shown
    assert "gone" in shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (4800, "1 h 20 min"), (187200, "2 d 4 h")],
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_help_fits_and_names_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_main.main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "status" in shown


def test_a_wrong_argument_ends_as_unknown_and_says_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_main.main(["statsu"])
    assert ended.value.code == 3
    assert "--help" in capsys.readouterr().err


def test_without_root_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert command_main.main(["status"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "sudo" in said


def test_a_zone_that_cannot_be_published_is_critical_and_named_with_its_server() -> None:
    fault = "192.0.2.53: the key web is right, but it may not change these names\n192.0.2.54: no answer in time"
    zones = [
        {"zone": "svc.example.com", "publishes": [], "fault": fault},
        {"zone": "other.example.com", "publishes": ["www.other.example.com"], "fault": ""},
        {"zone": "third.example.com", "publishes": [], "fault": ""},
    ]
    found = status.problems(host(line("unicom"), keeper={"zones": zones}))
    assert [problem.level for problem in found] == [status.CRITICAL]
    shown = " ".join(text(host(line("unicom"), keeper={"zones": zones})).split())
    assert "zone svc.example.com is not published: 192.0.2.53: the key web is right" in shown
    assert "192.0.2.54: no answer in time" in shown
    assert "other.example.com: publishes www.other.example.com" in shown
    assert "third.example.com: another host publishes it" in shown
    # Control: without a fault nothing is wrong.
    assert status.problems(host(line("unicom"), keeper={"zones": zones[1:]})) == []
