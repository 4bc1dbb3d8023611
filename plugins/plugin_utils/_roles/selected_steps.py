# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The steps of a role that the tags of a run select, and the message about those that they leave out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

# The tags of each step. Changes depend on the check, so each tag that selects the changes selects the check too.
CHECK = frozenset({"multihome", "multihome_preflight", "multihome_configure"})
CHANGE = frozenset({"multihome", "multihome_configure"})


@dataclass(frozen=True)
class Tags:
    """The tags of a run: ``only`` is ``["all"]`` where the user gave no --tags."""

    only: Sequence[str]
    skip: Sequence[str] = ()

    def select(self, tags: Collection[str]) -> bool:
        """Whether a task with these tags, none of them ``always`` or ``never``, runs: as Ansible decides it."""
        selected = bool(set(self.only) & {"all", "tagged", *tags})
        return selected and not set(self.skip) & {"all", "tagged", *tags}

    def name(self, tags: Iterable[str]) -> bool:
        """Whether the user named one of these tags."""
        return bool(set(self.only) & set(tags))

    def skipped(self, tags: Iterable[str]) -> bool:
        """Whether the user excluded one of these tags by its name."""
        return bool(set(self.skip) & set(tags))

    def __str__(self) -> str:
        """The options of the command line."""
        only = [] if list(self.only) == ["all"] else [f"--tags {','.join(self.only)}"]
        return " ".join([*only, *([f"--skip-tags {','.join(self.skip)}"] if self.skip else [])])


@dataclass(frozen=True)
class LeftOut:
    """A message about steps that tags leave out; ``fault`` where the run must not go on."""

    text: str
    fault: bool = False


@dataclass(frozen=True)
class Around:
    """The tags around a role: those that its tasks have from outside, and those of each dynamic include."""

    own: Collection[str] = ()
    includes: Sequence[Collection[str]] = ()


def left_out(role: str, tags: Tags, around: Around, preflight: bool, pending: Sequence[str]) -> LeftOut | None:
    """The message about a role on a host; None where nothing is left out, or where the role is not meant."""
    checked, changed = (tags.select({*step, *around.own}) for step in (CHECK, CHANGE))
    if checked and (changed or not pending):
        return None
    if checked:
        return LeftOut(f"only checked: {tags} leaves out the changes of {_words(pending)}")
    if changed and preflight:
        return LeftOut(
            f"{tags} leaves out the check that the changes depend on. To change the host without it, set "
            f"{role}_preflight: false",
            fault=True,
        )
    if tags.skipped(CHECK) and not changed:
        return LeftOut(f"neither checked nor changed: {tags} leaves out both")
    chosen = next((sorted(set(tags.only) & set(one)) for one in around.includes if tags.name(one)), None)
    if changed or chosen is None:
        return None
    return LeftOut(
        f"{tags} selects the task that includes role {role}, and no task inside the role. Add "
        f"apply: {{tags: [{', '.join(chosen)}]}} to include_role, or use import_role",
        fault=True,
    )


def _words(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
