# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find words that users should not have to read: the glossary in CONTRIBUTING.md has the words to use.

`python scripts/language.py [DIRECTORY]` checks the checkout, or another directory. It prints each word that it finds
with the word to use, and fails if there are any. Code spans and Ansible's markup are not checked.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sources
from environment import ROOT

# Files and directories that are still to be rewritten. Remove an entry when its text is clean.
PENDING: tuple[str, ...] = ()
FOLDERS = (".github", "changelogs/fragments", "docs", "inventory", "playbooks", "plugins", "roles")

# What to find, and the words to use. A space matches a line break too.
RULES = (
    (r"\b(?:whoever|whomever)\b", "anyone who, the user, the caller"),
    (r"\banew\b", "again"),
    (r"\bmend(?:s|ed|ing)?\b", "fix"),
    (r"\boutwait(?:s|ed|ing)?\b", "retry with a growing delay"),
    (r"\bwhat of (?:it|this|that|the)\b", "the name of the thing"),
    (r"\b(?:stand|stands|stood|standing)\b(?! for\b)(?!-)", "exist, be configured, be in"),
    (r"\b(?:is|are|was|were|be|been) told\b", "receive, be reported"),
    (r"\b(?:is|are|be|was|were|no|not|as) fit\b", "suitable, ready"),
    (r"\b(?:forget|forgets|forgetting|forgot|forgotten)\b", "delete"),
    (r"\b(?:take|takes|taken|taking|took)(?: [a-z]+){0,3} away\b", "remove"),
    (r"\bput(?:s|ting)?(?: [a-z]+){0,2} back\b", "restore"),
    (r"\bforet(?:ell|ells|elling|old)\b", "predict"),
    (r"\bof ours\b", "of this collection"),
    (r"\bsees? to (?:it|what)\b", "ensure"),
)
WORDS = tuple((re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), say) for pattern, say in RULES)

CODE_SPAN = r"(`+)(?:(?!\n\n).)+?\1"
# Not English: Python examples and code spans in Markdown; Ansible's markup, templates, and plain values in YAML.
MARKDOWN_CODE = re.compile(rf"^```python\n.*?^```$|{CODE_SPAN}", re.MULTILINE | re.DOTALL)
MARKUP = re.compile(
    rf"{CODE_SPAN}|\b(?:RV|[CEMOV])\([^)]*\)|\{{\{{.*?\}}\}}|\{{%.*?%\}}"
    r"|(['\"])[\w-]+\2|\[[\w-]+(?:, [\w-]+)*\]|\b(?:default|flows): \w+",
    re.DOTALL,
)


@dataclass(frozen=True)
class Finding:
    """A word to avoid, its place, and the words to use."""

    path: str
    line: int
    word: str
    say: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.word}": say {self.say}'


def in_scope(path: str) -> bool:
    """Whether users read text of this file, and it is not pending."""
    if any(path == entry or path.startswith(f"{entry}/") for entry in PENDING):
        return False
    if "/" not in path:
        return path.endswith(".md")
    return path.endswith((".md", ".py", ".yml")) and any(path.startswith(f"{folder}/") for folder in FOLDERS)


def passages(path: str, text: str) -> Iterator[tuple[int, str]]:
    """The English text of a file, each part with its first line; code in it is masked.

    In a Python file that is every string with a space: documentation, messages and docstrings.
    """
    if path.endswith(".md"):
        yield 1, _masked(MARKDOWN_CODE, text)
    elif path.endswith(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield node.lineno, _masked(MARKUP, node.value)
    else:
        yield 1, _masked(MARKUP, text)


def _masked(code: re.Pattern[str], text: str) -> str:
    """The text with code as underscores, which are part of no word; lines stay lines."""
    return code.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), text)


def findings(path: str, text: str) -> list[Finding]:
    """The words to avoid in one file, in the order of its lines."""
    found = [
        Finding(path, line + passage.count("\n", 0, match.start()), " ".join(match[0].split()), say)
        for line, passage in passages(path, text)
        for word, say in WORDS
        for match in word.finditer(passage)
    ]
    return sorted(found, key=lambda finding: (finding.line, finding.word))


def check(directory: Path, paths: list[str]) -> list[Finding]:
    """The words to avoid in all files in scope below a directory."""
    return [finding for path in paths if in_scope(path) for finding in findings(path, (directory / path).read_text())]


def main(arguments: list[str]) -> int:
    """Print the findings; return the exit status, 0 without any."""
    if arguments:
        directory = Path(arguments[0])
        paths = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    else:
        directory = ROOT
        paths = sorted(str(path) for path in sources.files() if not (ROOT / path).is_symlink())
    found = check(directory, paths)
    for finding in found:
        print(finding)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
