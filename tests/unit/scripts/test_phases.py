# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs `make test`: every phase runs, every failure is told, an interruption lets the commands clean up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from phases import Phase, Result, Runner, read_counts, summary

ROOT = Path(__file__).resolve().parents[3]


def runner(directory: Path) -> Runner:
    return Runner(dict(os.environ), directory)


def test_a_failure_stops_neither_its_phase_nor_the_next(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    phases = [Phase("first", [["false"], ["touch", "second"]]), Phase("next", [["touch", "third"]])]
    first, following = runner(tmp_path).run(phases)
    assert (first.failed, following.failed) == (["false"], [])
    assert {path.name for path in tmp_path.iterdir()} == {"second", "third"}
    assert "failed with exit status 1: false" in capfd.readouterr().out


def test_as_many_phases_as_may_run_at_the_same_time_and_print_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # The first two end only when the other has begun; the third needs that one of them has ended.
    meet = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); print(1, flush=True)\n"
    meet += "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\nprint(2)\npathlib.Path('ended').touch()"
    phases = [Phase(mine, [[sys.executable, "-c", meet, mine, other]]) for mine, other in ("ab", "ba")]
    results = runner(tmp_path).run([*phases, Phase("c", [["ls", "ended"]])], at_once=2)
    assert [(result.phase.name, result.failed) for result in results] == [("a", []), ("b", []), ("c", [])]
    assert capfd.readouterr().out.count("1\n2\n") == 2


def test_the_summary_tells_failures_and_adds_up_what_pytest_counted(tmp_path: Path) -> None:
    (tmp_path / "test_three.py").write_text(
        textwrap.dedent("""
        import pytest

        def test_passes():
            pass

        def test_fails():
            assert False

        @pytest.mark.skip("there is no snow")
        def test_is_skipped():
            pass
        """)
    )
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junit-xml={report}", "test_three.py"]
    (result,) = runner(tmp_path).run([Phase("unit", [command], report)])
    assert result.counts == {"passed": 1, "failed": 1, "skipped": 1}
    text = summary([result, Result(Phase("lint", [])), Result(Phase("more", []), counts={"passed": 2})])
    assert "unit  FAILED" in text
    assert "1 skipped: there is no snow" in text
    assert "lint  ok" in text
    assert text.endswith("2 of 3 phases ok; tests: 3 passed, 1 failed, 1 skipped")


def attempts(directory: Path, files: int, outcome: str) -> Phase:
    """A phase of tests that fail at first; the second attempt's ``outcome`` is an expression of Python."""
    body = textwrap.dedent(f"""
        from pathlib import Path

        def test_it():
            seen = Path(__file__ + ".seen")
            first = not seen.exists()
            seen.touch()
            assert {outcome}
        """)
    for number in range(files):
        (directory / f"test_{number}.py").write_text(body)
    cache, report = directory / "cache", directory / "report.xml"
    command = [sys.executable, "-m", "pytest", f"--override-ini=cache_dir={cache}"]
    return Phase("lab", [[*command, f"--junit-xml={report}"]], report, cache, [*command, "--last-failed"])


def test_a_test_that_fails_beside_others_runs_alone_once_more_and_is_named(tmp_path: Path) -> None:
    (result,) = runner(tmp_path).run([attempts(tmp_path, 2, "not first")])
    assert (result.failed, result.second) == ([], ["test_0.py::test_it", "test_1.py::test_it"])
    text = summary([result])
    assert "passed only alone, at the second attempt: test_0.py::test_it" in text
    assert text.endswith("1 of 1 phases ok; tests: 2 passed, 0 failed, 0 skipped")


@pytest.mark.parametrize(("files", "outcome"), [(1, "False"), (4, "not first")])
def test_what_fails_twice_and_failures_in_many_files_stay_failures(tmp_path: Path, files: int, outcome: str) -> None:
    (result,) = runner(tmp_path).run([attempts(tmp_path, files, outcome)])
    assert (len(result.failed), result.second) == (1, [])
    assert summary([result]).endswith(f"0 of 1 phases ok; tests: 0 passed, {files} failed, 0 skipped")


def test_no_report_counts_nothing_and_an_old_one_is_not_taken_for_the_new(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert read_counts(report) == {}
    report.write_text('<testsuites><testsuite tests="7"/></testsuites>')
    (result,) = runner(tmp_path).run([Phase("unit", [["false"]], report)])
    assert result.counts == {}


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_reaches_the_commands_which_clean_up_and_nothing_more_begins(
    tmp_path: Path, number: int, at_once: int
) -> None:
    command = textwrap.dedent("""
        import pathlib, sys, time
        try:
            pathlib.Path(f"{sys.argv[1]}-begun").touch()
            time.sleep(60)
        except KeyboardInterrupt:
            pathlib.Path(f"{sys.argv[1]}-cleaned").touch()
        """)
    program = textwrap.dedent(f"""
        import os, pathlib, sys
        from phases import Phase, Runner
        runner = Runner(dict(os.environ), pathlib.Path.cwd())
        phases = [Phase(str(n), [[sys.executable, "-c", {command!r}, str(n)], ["touch", "second"]]) for n in range(3)]
        results = runner.run(phases, {at_once})
        sys.exit(130 if runner.stopping and len(results) == {at_once} else 0)
        """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.iterdir())) < at_once and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(120) == 130
    names = [f"{n}-{what}" for n in range(at_once) for what in ("begun", "cleaned")]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
