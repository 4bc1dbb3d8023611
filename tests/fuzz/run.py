# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feed targets for a bounded time; what fails is kept as an example, and every later run begins with the examples."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from .targets import Target

EXAMPLES = Path(__file__).with_name("examples")
# Seconds that one input may take.
LONGEST = 10


@dataclass
class Outcome:
    """What one target did: how many inputs it took, and one text for each different failure."""

    target: str
    inputs: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def fuzz(
    targets: Sequence[Target], seconds: float, seed: int, say: Callable[[str], None], examples: Path = EXAMPLES
) -> list[Outcome]:
    """Replay the examples, then feed each target its share of ``seconds`` of hostile inputs drawn from ``seed``."""
    outcomes = []
    for target in targets:
        outcome = Outcome(target.name)
        for path in sorted((examples / target.name).glob("*.json")):
            _feed(target, json.loads(path.read_text()), outcome, f"example {path.name}", None)
        draw = random.Random(f"{seed} {target.name}")
        until = time.monotonic() + seconds / len(targets)
        seeds = target.seeds()
        while time.monotonic() < until:
            value = target.change(draw.choice(seeds), draw)
            _feed(target, value, outcome, f"seed {seed}, input {outcome.inputs}", examples / target.name)
        say(f"{target.name}: {outcome.inputs} inputs, {len(outcome.failures)} different failures")
        outcomes.append(outcome)
    return outcomes


def _feed(target: Target, value: Any, outcome: Outcome, origin: str, keep: Path | None) -> None:
    outcome.inputs += 1
    try:
        with _limit(LONGEST):
            target.feed(value)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
        if kind in outcome.failures:
            return
        kept = _keep(keep, value) if keep else origin
        shown = "".join(traceback.format_exception(error))[-1500:]
        outcome.failures[kind] = f"{target.name}: {kind} ({origin}; kept as {kept})\n{shown}"


def _keep(directory: Path, value: Any) -> str:
    text = json.dumps(value, indent=1)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    path.write_text(text + "\n")
    return path.name


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"one input takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
