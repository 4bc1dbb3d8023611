# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of probes as one small matrix, line by service, and the failures with their hints. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from .targets import Row

# Limits of the message; the rows of the result have everything.
_LINES, _SERVICES, _FAILURES = 20, 8, 20


def failed_message(rows: Sequence[Row]) -> str:
    """Return the message when one or more of ``rows`` failed: a count, the matrix, every failure once."""
    failed = [row for row in rows if not row.ok]
    count = f"{len(failed)} of {len(rows)} targets did not answer"
    return "\n".join([f"{count}:", *_matrix(rows), *_reasons(failed)])


def _service(row: Row) -> str:
    return f"{row.target.name or row.target.service} IPv{row.target.family}"


def _matrix(rows: Sequence[Row]) -> list[str]:
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row.target.line, _service(row)), []).append(row)
    failing = {key for key, held in cells.items() if not all(row.ok for row in held)}
    lines, lines_left = _shown([key[0] for key in cells], {key[0] for key in failing}, _LINES)
    services, services_left = _shown([key[1] for key in cells], {key[1] for key in failing}, _SERVICES)
    table = [["line", *services]]
    table += [[line, *(_cell(cells.get((line, service), [])) for service in services)] for line in lines]
    widths = [max(map(len, column)) for column in zip(*table)]
    text = ["  ".join(word.ljust(width) for word, width in zip(words, widths)).rstrip() for words in table]
    if lines_left or services_left:
        text.append(f"(not shown: {lines_left} lines, {services_left} services; see rows)")
    return text


def _shown(names: Sequence[str], failing: set[str], most: int) -> tuple[list[str], int]:
    """Return at most ``most`` of the names, each once in the order given, and how many are left out.

    Where some are left out, those without a failure are left out first.
    """
    distinct = list(dict.fromkeys(names))
    chosen = set(sorted(distinct, key=lambda name: name not in failing)[:most])
    return [name for name in distinct if name in chosen], len(distinct) - len(chosen)


def _cell(rows: Sequence[Row]) -> str:
    failures = sum(not row.ok for row in rows)
    if not rows:
        return "-"
    if not failures:
        return "ok"
    return "FAILED" if failures == len(rows) else f"FAILED {failures}/{len(rows)}"


def _reasons(failed: Sequence[Row]) -> list[str]:
    """Return one line a failure; failures with the same explanation share a line."""
    together: dict[tuple[str, str], list[str]] = {}
    for row in failed[:_FAILURES]:
        if row.failure is not None:
            label = f" ({row.target.name})" if row.target.name else ""
            where = f"line {row.target.line}, {row.target}{label}"
            together.setdefault((row.failure.error, row.failure.hint), []).append(where)
    text = [f"{'; '.join(places)}: {error}: {hint}" for (error, hint), places in together.items()]
    if len(failed) > _FAILURES:
        text.append(f"and {len(failed) - _FAILURES} more; see rows")
    return text
