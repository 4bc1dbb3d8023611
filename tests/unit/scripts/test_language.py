# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language check finds the words that users should not have to read, and only those."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import language
from checks import LINT
from environment import ROOT


def words(path: str, text: str) -> list[str]:
    """The words found in a text, as they are written."""
    return [finding.word for finding in language.findings(path, text)]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Whoever set it.", "Whoever"),
        ("It is started anew.", "anew"),
        ("The role mends it.", "mends"),
        ("Others are outwaited.", "outwaited"),
        ("What of this is Ansible?", "What of this"),
        ("The rule stands in front.", "stands"),
        ("It stood before.", "stood"),
        ("The host is told so.", "is told"),
        ("The host is\n  told so.", "is told"),
        ("No fit nft.", "No fit"),
        ("It forgets connections.", "forgets"),
        ("It takes all of it away.", "takes all of it away"),
        ("The keeper puts it back.", "puts it back"),
        ("The change is foretold.", "foretold"),
        ("A chain of ours.", "of ours"),
        ("See to what is missing.", "See to what"),
    ],
)
def test_a_word_to_avoid_is_found(text: str, word: str) -> None:
    assert words("docs/page.md", text) == [word]


@pytest.mark.parametrize(
    "text",
    [
        "V(0) stands for no mark.",
        "Understand the standard.",
        "The values fit the table.",
        "With `forget_flows` and `flows: forget`, see `standing.py`.",
        "The key `will_mend` of a finding.",
        "```python\ndesign.stood()\n```",
        "The amended text of the mandate.",
        "Put the address of the line into the list.",
    ],
)
def test_other_text_is_accepted(text: str) -> None:
    assert words("docs/page.md", text) == []


def test_names_of_options_and_values_in_yaml_are_accepted() -> None:
    text = (
        "forget_flows:\n  description: O(forget_flows) and V(forget) set C(stood).\n"
        "  choices: [keep, forget]\n  default: forget\nflows: forget\nwhen: flows == 'forget'\nset: '{{ stood }}'\n"
    )
    assert words("roles/r/meta/argument_specs.yml", text) == []
    assert words("roles/r/tasks/main.yml", "- name: Forget connections\n") == ["Forget"]


def test_strings_of_python_are_checked_and_its_names_are_not() -> None:
    source = '"""What stood."""\n\nstood = "stood"\nmessage = f"{stood} is put back"\nother = """one\nit stands"""\n'
    found = language.findings("plugins/modules/m.py", source)
    assert [(finding.line, finding.word) for finding in found] == [(1, "stood"), (4, "put back"), (6, "stands")]


def test_a_finding_says_where_it_is_and_the_word_to_use() -> None:
    (finding,) = language.findings("README.md", "# Title\n\n`anew` in code, anew in text\n")
    assert str(finding) == 'README.md:3: "anew": say again'


@pytest.mark.parametrize(
    "path", ["README.md", "docs/nat.md", "plugins/modules/keeper.py", "changelogs/fragments/1.yml"]
)
def test_what_users_read_is_in_scope(path: str) -> None:
    assert language.in_scope(path)


@pytest.mark.parametrize("path", ["tests/unit/page.md", "scripts/language.py", "docs/picture.svg", "Makefile"])
def test_other_files_are_not_in_scope(path: str) -> None:
    assert not language.in_scope(path)


def test_pending_files_exist_and_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [entry for entry in language.PENDING if not (ROOT / entry).exists()] == []
    monkeypatch.setattr(language, "PENDING", ("docs/old",))
    assert not language.in_scope("docs/old/page.md")
    assert language.in_scope("docs/older.md")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the check as `make lint` does."""
    command = [sys.executable, str(ROOT / "scripts" / "language.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_checkout_is_clean() -> None:
    assert ("python", "scripts/language.py") in LINT
    done = run()
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_control_the_check_fails_on_a_bad_page(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "page.md"
    page.write_text("The rule exists.\n")
    assert run(str(tmp_path)).returncode == 0
    page.write_text("The rule\nstands.\n")
    done = run(str(tmp_path))
    assert (done.returncode, done.stdout) == (1, 'docs/page.md:2: "stands": say exist, be configured, be in\n')
