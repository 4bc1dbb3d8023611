# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a line carries traffic in one family: a state machine fed by events. No I/O, no clock of its own.

    unknown ── answer ──▶ up ── quiet ──▶ suspect ── silence ──▶ down ── answer ──▶ recovering ── hold time ──▶ up
                           ▲                 │ answer              ▲                    │ silence
                           └─────────────────┘                     └────────────────────┘

A line is judged by the age of its last answer, pooled over its targets: the silence. No probe has a timeout of its
own, so latency hardly matters. ``quorum`` targets have to answer; then the age is that of the quorum-th youngest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .damping import Damping
from .model import FAST_SHARE, PROBES_TO_JUDGE, QUIET_SHARE, Health
from .quality import Quality

UNKNOWN, UP, SUSPECT, DOWN, RECOVERING = "unknown", "up", "suspect", "down", "recovering"
DRAINED = "drained"
STATES = (UNKNOWN, UP, SUSPECT, DOWN, RECOVERING)
# States in which traffic is sent over a line.
CARRYING = frozenset((UNKNOWN, UP, SUSPECT))
# What a probe that could not be sent says: a packet filter of this host dropped it, this host has no way there.
BLOCKED, UNREACHABLE = "blocked", "unreachable"
# The kernel has no such address family.
NO_FAMILY = "no family"
_NO_WAY, _NO_IPV6 = "this host has no route or address to send from", "this kernel runs without IPv6"
# A line is suspect only when so many probes are unanswered: with one target, one is under way half of the time.
_PROBES_TO_SUSPECT = 3
# So many attempts in a row without a way make a line down: one alone may have met a route that is being replaced.
_ATTEMPTS_WITHOUT_WAY = 3
# What share of probes has to be answered at the end of the hold time.
_ANSWERED_TO_RECOVER = 0.9
# When the last quiet second was not enough to end the hold time, look again after another one.
_RECHECK = 1.0


@dataclass(frozen=True)
class LineHealth:
    """What is known of a line in one family; ``state`` does not say whether an administrator drained it."""

    line: str
    family: int
    state: str
    reason: str
    since: float
    degraded: bool = False
    drained: bool = False
    alarm: str = ""
    loss: float | None = None
    rtt: float | None = None
    hold: float = 0.0
    steps: int = 0
    address: str | None = None

    @property
    def shown(self) -> str:
        """The state as people see it."""
        return DRAINED if self.drained else self.state

    @property
    def is_usable(self) -> bool:
        """Whether the line may carry traffic."""
        return self.state in CARRYING and not self.drained


class Judge:
    """Judges one line in one family. ``targets`` is how many there are; without any, carrier and gateway decide."""

    # What is in slots is read with fewer steps: with many lines, most of it comes from far memory each time.
    __slots__ = (
        *("state", "reason", "since", "alarm", "changed", "can_ask", "silent_since", "quality", "damping"),
        *("_settings", "_targets", "_quorum", "_quiet_after", "_last", "_trouble", "_attempts_without_way"),
        "_without_way",
        *("_heard", "_restarted", "_unanswered", "_obstacles", "_carrier", "_gateway"),
    )

    def __init__(self, settings: Health, targets: int, now: float) -> None:
        self._settings, self._targets = settings, targets
        self._quorum = min(settings.quorum, targets) if targets else 0
        self._quiet_after = QUIET_SHARE * settings.interval
        self._last = [-math.inf] * targets
        self._trouble: list[str | None] = [None] * targets
        self._attempts_without_way, self._without_way = 0, _NO_WAY
        self._heard = -math.inf
        # The silence is counted from here when this is later than the last answer; None before the first probe.
        self._restarted: float | None = None
        # The later of the two; never before the first probe. Kept, as it is read more often than anything else.
        self.silent_since = math.inf
        self._unanswered = 0
        self._obstacles: dict[str, str] = {}
        # Whether probes make sense: not without carrier or address.
        self.can_ask = True
        self._carrier: bool | None = None
        self._gateway: bool | None = None
        self.quality = Quality(targets, settings.degraded, now)
        self.damping = Damping(settings.up_after)
        self.state, self.reason, self.since = UNKNOWN, "not judged yet", now
        self.alarm = ""
        # Set with every change of state, reason, quality or alarm; who has seen to it takes it back.
        self.changed = False

    # ---------------------------------------------------------------- events
    def sent(self, now: float, target: int) -> None:
        """A probe left for a target."""
        if self._restarted is None:
            self._restarted = now
            self._count_silence()
        self._unanswered += 1
        self.quality.sent(now, target)
        if self._trouble[target] is not None:
            self._trouble[target] = None
            self._judge_troubles(now)
        self._attempts_without_way = 0

    def answered(self, now: float, target: int, rtt: float) -> None:
        """A target answered a probe that was sent ``rtt`` seconds ago."""
        self._last[target] = now
        self.quality.answered(now, target, rtt)
        heard = now if self._quorum == 1 else sorted(self._last, reverse=True)[self._quorum - 1]
        if heard > self._heard:
            self._heard = heard
            self._count_silence()
            self._unanswered = 0
            if self.state != UP and not self._obstacles:
                self._is_alive(now)

    def failed(self, now: float, target: int, trouble: str | None) -> None:
        """A probe could not be sent: BLOCKED, UNREACHABLE, NO_FAMILY, or None for what says nothing of the line."""
        if trouble is None:
            return
        self._without_way = _NO_IPV6 if trouble == NO_FAMILY else _NO_WAY
        trouble = UNREACHABLE if trouble == NO_FAMILY else trouble
        self._trouble[target] = trouble
        if trouble == UNREACHABLE:
            self._attempts_without_way += 1
        self._judge_troubles(now)

    def carrier(self, now: float, present: bool | None) -> None:
        """The interface has its carrier, has none, or nobody knows."""
        self._carrier = present
        self._obstacle(now, "carrier", "" if present is not False else "no carrier")

    def address(self, now: float, present: bool) -> None:
        """The line has an address to send from, or has none; called again whenever that is another one."""
        self._obstacle(now, "address", "" if present else "no address")
        self.restart(now)

    @property
    def has_address(self) -> bool:
        """Whether nothing was said of a missing address."""
        return "address" not in self._obstacles

    def gateway(self, now: float, reachable: bool | None) -> None:
        """The gateway answers neighbour discovery, does not, or nobody knows; with targets only a hint."""
        self._gateway = reachable
        if not self._targets:
            self._obstacle(now, "gateway", "the gateway does not answer" if reachable is False else "")

    def restart(self, now: float) -> None:
        """Count the silence from now on: the loop was late, or the line has another address."""
        if self._restarted is not None:
            self._restarted = max(self._restarted, now)
            self._count_silence()
        self._unanswered = 0

    # ---------------------------------------------------------------- time
    def advance(self, now: float, alone: bool = False) -> None:
        """Do what is due by ``now``; ``alone`` tells that no other line is up. Drain the sockets before."""
        if now >= self.quality.closes and self.quality.advance(now):
            self.changed = True
        if self._obstacles or (self.state == UP and self._targets and self._unanswered < _PROBES_TO_SUSPECT):
            return
        if not self._targets:
            self._advance_without_targets(now, alone)
            return
        if self.state in (UNKNOWN, UP, SUSPECT, RECOVERING) and self._is_silent(now):
            self._go(now, DOWN, f"no answer for {self._settings.down_after:g} s")
        elif self.state == UP and self._unanswered >= _PROBES_TO_SUSPECT and self.is_quiet(now):
            self._go(now, SUSPECT, f"no answer for {self._quiet_after:g} s")
        elif self.state == RECOVERING:
            self._advance_recovering(now, alone)

    def next_time(self, now: float) -> float:
        """Return when advance() has something to do next, without further events."""
        if self.state == UP and self._targets:
            # As nearly always.
            quiet = self.silent_since + self._quiet_after
            if quiet > now:
                return quiet
        if self._obstacles or not self._targets or self.state == DOWN:
            times = [math.inf]
        else:
            times = [self.silent_since + self._quiet_after, self.silent_since + self._settings.down_after]
            if self.state == RECOVERING:
                ends = self.since + self.damping.hold
                times.append(ends if ends > now else now + _RECHECK)
        if not self._targets and self.state == RECOVERING:
            times.append(self.since + self.damping.hold)
        return min((time for time in times if time > now), default=now + FAST_SHARE * self._settings.interval)

    def is_quiet(self, now: float) -> bool:
        """Tell whether the targets are to be asked faster: no answer, or the gateway is said to be gone."""
        if self.state == DOWN or not self._targets:
            return False
        return now - self.silent_since >= self._quiet_after or (self._gateway is False and self.state == UP)

    def silence(self, now: float) -> float:
        """Return the seconds since the last answer, 0 before the first probe."""
        return max(0.0, now - self.silent_since)

    # ---------------------------------------------------------------- a restart of the program
    def remember(self, now: float) -> dict[str, Any]:
        """Return what a later run resumes from; times are ages."""
        return {
            "state": UP if self.state == SUSPECT else self.state,
            "reason": self.reason,
            "age": round(now - self.since, 3),
            "steps": self.damping.steps,
            "degraded": self.quality.degraded,
        }

    def resume(self, now: float, known: Mapping[str, Any], passed: float = 0.0) -> None:
        """Go on from what an earlier run remembered ``passed`` seconds ago; what makes no sense is left out."""
        state, age, steps = known.get("state"), _number(known.get("age")), known.get("steps")
        if state not in STATES or age is None or not isinstance(steps, int) or isinstance(steps, bool):
            return
        self.state = UP if state == SUSPECT else str(state)
        self.reason = str(known.get("reason", ""))
        self.since = now - passed - max(0.0, age)
        self.damping = Damping(self._settings.up_after, max(0, steps))
        if self.state == UP:
            self.damping.went_up(now)
        if self.state == RECOVERING:
            self.since = now  # its answers were not counted meanwhile
        # Without targets there are no figures that could end it.
        self.quality.degraded = self._targets > 0 and known.get("degraded") is True

    # ---------------------------------------------------------------- judging
    def _count_silence(self) -> None:
        if self._restarted is not None:
            self.silent_since = max(self._restarted, self._heard)

    def _is_silent(self, now: float) -> bool:
        return self._unanswered >= PROBES_TO_JUDGE and now - self.silent_since >= self._settings.down_after

    def _is_alive(self, now: float) -> None:
        """The quorum answered while the line was not up."""
        if self.state == UNKNOWN:
            self._go(now, UP, "answers")
        elif self.state == SUSPECT:
            self._go(now, UP, "answers again")
        elif self.state == DOWN:
            self.quality.reset(now)
            self.restart(now)
            self._go(now, RECOVERING, f"answers again, up after {self.damping.hold:g} s")

    def _advance_recovering(self, now: float, alone: bool) -> None:
        if alone:
            self._go(now, UP, "answers again, and no other line is up")
        elif now - self.since >= self.damping.hold:
            share = self.quality.answered_share(now, self._settings.up_after)
            # A hold time too short to count anything asks for nothing more than time.
            if share >= _ANSWERED_TO_RECOVER or self._settings.up_after < 3:
                self._go(now, UP, f"answered for {self.damping.hold:g} s")

    def _advance_without_targets(self, now: float, alone: bool) -> None:
        there = bool(self._carrier or self._gateway)
        if self.state == UNKNOWN and there:
            self._go(now, UP, "carrier" if self._carrier else "the gateway answers")
        elif self.state == DOWN:
            self._go(now, RECOVERING, f"there again, up after {self.damping.hold:g} s")
        if self.state == RECOVERING and (alone or now - self.since >= self.damping.hold):
            self._go(now, UP, "there again")

    def _obstacle(self, now: float, name: str, reason: str) -> None:
        """Note what makes the line down whatever its targets say, or that it is gone."""
        had = bool(self._obstacles)
        if reason:
            self._obstacles[name] = reason
        else:
            self._obstacles.pop(name, None)
        self.can_ask = not self._obstacles
        if self._obstacles:
            self._alarm("")
            first = next(iter(self._obstacles.values()))
            if self.state != DOWN or self.reason != first:
                self._go(now, DOWN, first)
        elif had:
            self.reason = "no answer yet" if self._targets else self.reason
            self._trouble = [None] * self._targets
            self._attempts_without_way = 0
            self.restart(now)

    def _judge_troubles(self, now: float) -> None:
        """Judge by the probes that cannot be sent: are there enough others for the quorum?"""
        if self._obstacles:
            return
        spare = self._targets - self._quorum
        blocked = self._trouble.count(BLOCKED)
        if blocked + self._trouble.count(UNREACHABLE) <= spare:
            if self.alarm:
                self._alarm("")
                self.restart(now)
        elif blocked > spare:
            self._alarm("a packet filter of this host drops its probes")
            self.restart(now)
            # A line that is known to be dead stays out of use: that its probes are blocked now says nothing new of it.
            if self.state in (UP, SUSPECT):
                self._go(now, UNKNOWN, self.alarm)
        elif not blocked and self._attempts_without_way >= _ATTEMPTS_WITHOUT_WAY and self.state != DOWN:
            self._go(now, DOWN, self._without_way)

    def _alarm(self, text: str) -> None:
        if text != self.alarm:
            self.alarm, self.changed = text, True

    def _go(self, now: float, state: str, reason: str) -> None:
        before, self.state, self.reason = self.state, state, reason
        self.changed = True
        if before == state:
            return
        if state == DOWN and before in (UP, SUSPECT):
            self.damping.went_down(now)
        elif state == UP and before != SUSPECT:
            self.damping.went_up(now)
        self.since = now


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None
