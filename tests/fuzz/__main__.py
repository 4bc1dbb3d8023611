# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.fuzz [--seconds N] [--seed N] [TARGET...]`: exit status 1 when an input got a wrong answer."""

from __future__ import annotations

import argparse
import random
import sys

from .run import fuzz
from .targets import TARGETS


def main() -> int:
    """Run what the command line asks for, and print each failure with its seed and the example it is kept as."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same inputs (default: random)")
    parser.add_argument("targets", nargs="*", choices=[[], *(target.name for target in TARGETS)], metavar="TARGET")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
    print(f"seed {seed} (repeat with --seed {seed})", flush=True)
    chosen = [target for target in TARGETS if not options.targets or target.name in options.targets]
    outcomes = fuzz(chosen, options.seconds, seed, lambda text: print(text, flush=True))
    failures = [text for outcome in outcomes for text in outcome.failures.values()]
    for text in failures:
        print(f"\n--- {text}", flush=True)
    print(f"\n{sum(outcome.inputs for outcome in outcomes)} inputs, {len(failures)} failures, seed {seed}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
