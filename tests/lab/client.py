# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a server of the lab (webserver.py), once or many times, and print one JSON object of what came of it.

    client.py http://203.0.113.10/ tcp://[2001:db8:a::10]:5000 udp://203.0.113.10:53 [--source ADDRESS] …

    {"asked": 3, "answered": 2, "failed": 1, "errors": {"timed out": 1}, "seconds": 2.01,
     "answers": [{"count": 2, "url": "…", "host": "web1", "local": "…", "port": 80, "client": "…", "protocol": "tcp"}]}

Each request is a new connection. The exit code is 0 if something was asked and every request was answered.
With `--until-end-of-input` it asks until its standard input ends, so that who measures a change decides.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import SplitResult, urlsplit

_SAME_FOR_ALL = ("host", "local", "port", "client", "protocol")


def ask(url: SplitResult, source: str | None, timeout: float) -> dict[str, Any]:
    """Make one request and return the answer; raise OSError or ValueError if none comes in `timeout` seconds."""
    if url.hostname is None:
        raise ValueError(f"{url.geturl()} names no host")
    bind = None if source is None else (source, 0)
    if url.scheme == "http":
        return _ask_http(url, url.hostname, bind, timeout)
    if url.port is None:
        raise ValueError(f"{url.geturl()} names no port")
    if url.scheme == "tcp":
        with socket.create_connection((url.hostname, url.port), timeout, bind) as connection:
            connection.sendall(b"hello\n")
            with connection.makefile("rb") as answers:
                return _parse(answers.readline())
    if url.scheme == "udp":
        family = socket.AF_INET6 if ":" in url.hostname else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as query:
            query.settimeout(timeout)
            if bind:
                query.bind(bind)
            # Connected, so that an answer from another address than the one asked counts as none.
            query.connect((url.hostname, url.port))
            query.send(b"hello\n")
            return _parse(query.recv(4096))
    raise ValueError(f"{url.geturl()} is none of http, tcp, udp")


def _ask_http(url: SplitResult, host: str, bind: tuple[str, int] | None, timeout: float) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, url.port or 80, timeout=timeout, source_address=bind)
    try:
        connection.request("GET", url.path or "/")
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(f"status {answer.status}")
        return _parse(answer.read())
    except http.client.HTTPException as error:
        raise ValueError(f"{type(error).__name__}") from error
    finally:
        connection.close()


def _parse(text: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(text)
    return answer


class Load:
    """Requests by several threads, and the tally of their results."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.urls: list[SplitResult] = [urlsplit(url) for url in options.url]
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.asked = 0
        self.answers: Counter[tuple[tuple[str, Any], ...]] = Counter()
        self.errors: Counter[str] = Counter()

    def run(self) -> dict[str, Any]:
        """Ask as the options say and return the report."""
        begin = time.monotonic()
        threads = [threading.Thread(target=self._work) for _number in range(self.options.concurrency)]
        for thread in threads:
            thread.start()
        if self.options.until_end_of_input:
            sys.stdin.buffer.read()
            self.stop.set()
        for thread in threads:
            thread.join()
        answered, failed = sum(self.answers.values()), sum(self.errors.values())
        return {
            "asked": answered + failed,
            "answered": answered,
            "failed": failed,
            "errors": dict(self.errors),
            "seconds": round(time.monotonic() - begin, 3),
            "answers": [{"count": count, **dict(answer)} for answer, count in self.answers.items()],
        }

    def _next(self) -> SplitResult | None:
        """Return what to ask next: every URL in turn, `count` times each; None when all is asked."""
        with self.lock:
            if not self.options.until_end_of_input and self.asked >= self.options.count * len(self.urls):
                return None
            self.asked += 1
            return self.urls[(self.asked - 1) % len(self.urls)]

    def _work(self) -> None:
        while not self.stop.is_set() and (url := self._next()) is not None:
            try:
                answer = ask(url, self.options.source, self.options.timeout)
                result = (("url", url.geturl()), *((name, answer[name]) for name in _SAME_FOR_ALL))
                with self.lock:
                    self.answers[result] += 1
            except (OSError, ValueError, KeyError) as error:
                with self.lock:
                    self.errors[str(error) or type(error).__name__] += 1
            if self.options.interval:
                self.stop.wait(self.options.interval)


def main() -> None:
    """Ask, print, and exit with 1 unless all was answered."""
    parser = argparse.ArgumentParser(description="ask servers of the lab")
    parser.add_argument("url", nargs="+", help="http://HOST[:PORT]/, tcp://HOST:PORT or udp://HOST:PORT")
    parser.add_argument("--source", help="the address to ask from")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds for one request (default 2)")
    parser.add_argument("--count", type=int, default=1, help="requests for each URL (default 1)")
    parser.add_argument("--concurrency", type=int, default=1, help="threads that ask (default 1)")
    parser.add_argument("--interval", type=float, default=0.0, help="seconds between a thread's requests (default 0)")
    parser.add_argument("--until-end-of-input", action="store_true", help="ask until standard input ends")
    report = Load(parser.parse_args()).run()
    print(json.dumps(report))
    sys.exit(int(report["failed"] or not report["asked"]))


if __name__ == "__main__":
    main()
