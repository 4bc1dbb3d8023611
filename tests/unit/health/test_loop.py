# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop with real sockets, on the loopback interface: each kind of probe is answered, or is not."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, UNKNOWN, UP
from ansible_collections.multihome.linux.plugins.module_utils._core.health.loop import Change, Loop
from ansible_collections.multihome.linux.plugins.module_utils._core.health.model import parse_lines
from ansible_collections.multihome.linux.tests.unit.health.certificate import certificate

# The line's own address, and one that answers.
HERE, THERE = "127.0.0.2", "127.0.0.1"
PATIENCE = 20.0


class Running:
    """A loop in its thread, and the changes it told."""

    def __init__(self, *targets: Any, context: ssl.SSLContext | None = None, **settings: Any) -> None:
        self.changes: list[Change] = []
        entry = {"name": "unicom", "id": 1, "addresses": [HERE], "health": {"targets": list(targets), **settings}}
        self.loop = Loop(parse_lines([entry]), self._heard, context=context)
        self._thread = threading.Thread(target=self.loop.run, daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.loop.stop()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _heard(self, changes: Sequence[Change]) -> None:
        self.changes += changes

    def gets(self, state: str, within: float = PATIENCE) -> bool:
        """Whether the line gets into a state in time."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if any(change.after.state == state for change in self.changes):
                return True
            time.sleep(0.01)
        return False


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None], kind: int = socket.SOCK_STREAM) -> Iterator[int]:
    """A server; ``serve`` gets each connection, or with SOCK_DGRAM the socket again and again."""
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind((THERE, 0))
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        server.settimeout(0.1)
        ends = threading.Event()

        def run() -> None:
            while not ends.is_set():
                with contextlib.suppress(OSError):
                    if kind == socket.SOCK_STREAM:
                        with server.accept()[0] as connection:
                            serve(connection)
                    else:
                        serve(server)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ends.set()
            thread.join(5)


def _only_accept(_connection: socket.socket) -> None:
    """That the connection was opened is enough."""


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind((THERE, 0))
        port: int = free.getsockname()[1]
        return port


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        # In two pieces, as a slow server writes it.
        self.wfile.write(b"HTTP/1.1 2")
        self.wfile.flush()
        self.wfile.write(b"04 No Content\r\n\r\n")

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def web_server(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A web server whose pages have status 204."""
    with http.server.ThreadingHTTPServer((THERE, 0), _Page) as server:
        server.handle_error = lambda *_about: None  # type: ignore[method-assign]  # probes of the controls break off
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)


def test_tcp_is_answered_by_a_connection_and_not_by_a_refusal() -> None:
    with listening(_only_accept) as port, Running({"tcp": f"{THERE}:{port}"}) as running:
        assert running.gets(UP)
    with Running({"tcp": f"{THERE}:{closed_port()}"}) as running:
        assert running.gets(DOWN)
        assert not running.gets(UP, within=0)


def test_probes_carry_the_lines_address() -> None:
    seen: list[str] = []
    with (
        listening(lambda connection: seen.append(connection.getpeername()[0])) as port,
        Running({"tcp": f"{THERE}:{port}"}) as running,
    ):
        assert running.gets(UP)
    assert set(seen) == {HERE}


def _resolver(rcode: int) -> Callable[[socket.socket], None]:
    def serve(server: socket.socket) -> None:
        query, client = server.recvfrom(512)
        server.sendto(query[:2] + b"\x81" + bytes((0x80 | rcode,)) + query[4:], client)

    return serve


@pytest.mark.parametrize(("rcode", "state"), [(0, UP), (5, UP), (2, DOWN)])
def test_dns_is_answered_by_any_reply_but_a_server_failure(
    rcode: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.multihome.linux.plugins.module_utils._core.health import targets  # noqa: PLC0415 - patched

    with listening(_resolver(rcode), socket.SOCK_DGRAM) as port:
        # The port of name servers is not ours to listen on.
        monkeypatch.setitem(targets._PORTS, "dns", port)
        with Running({"dns": THERE}) as running:
            assert running.gets(state)
            assert not running.gets(UP if state == DOWN else DOWN, within=0)


@pytest.mark.parametrize(("status", "state"), [(204, UP), (200, DOWN)])
def test_http_is_answered_by_the_expected_status_alone(status: int, state: str) -> None:
    with web_server() as port, Running({"http": f"http://{THERE}:{port}/", "status": status}) as running:
        assert running.gets(state)
        assert not running.gets(UP if state == DOWN else DOWN, within=0)


@pytest.mark.parametrize("trusted", [True, False])
def test_https_needs_a_certificate_that_is_trusted(tmp_path: Path, trusted: bool) -> None:
    file = certificate(tmp_path, THERE)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    context = ssl.create_default_context(cafile=str(file) if trusted else None)
    with web_server(server) as port:
        target = {"http": f"https://{THERE}:{port}/", "status": 204}
        with Running(target, context=context) as running:
            assert running.gets(UP if trusted else DOWN)
            assert trusted or not running.gets(UP, within=0)


def test_a_server_that_never_answers_a_request_is_no_answer_and_holds_few_sockets() -> None:
    with listening(lambda _connection: time.sleep(0.01)) as port:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with Running({"http": f"http://{THERE}:{port}/"}, interval=0.1) as running:
            assert running.gets(DOWN)
            time.sleep(1)
            assert len(list(Path("/proc/self/fd").iterdir())) - before < 32
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_name_without_an_address_is_no_evidence() -> None:
    with Running({"tcp": "nowhere.invalid:80"}) as running:
        assert not running.gets(DOWN, within=2.5)
        assert [each.state for each in running.loop.states] == [UNKNOWN]


def test_an_address_that_is_not_on_this_host_is_down() -> None:
    with listening(_only_accept) as port, Running({"tcp": f"{THERE}:{port}"}) as running:
        assert running.gets(UP)
        running.loop.set_address("unicom", 4, "192.0.2.77")
        assert running.gets(DOWN)
        assert running.loop.states[0].reason == "this host has no route or address to send from"
        running.changes.clear()
        running.loop.set_address("unicom", 4, "127.0.0.3")
        # With no other line up, it has nothing to wait for.
        assert running.gets(UP)


def test_a_loop_that_is_held_up_does_not_take_its_own_silence_for_the_lines() -> None:
    with listening(_only_accept) as port, Running({"tcp": f"{THERE}:{port}"}) as running:
        assert running.gets(UP)
        for _time in range(3):
            running.loop.post(lambda _now: time.sleep(2))
            time.sleep(2.3)
        assert not running.gets(DOWN, within=0)
        assert running.loop.lags >= 3


def test_draining_and_carrier_are_told_at_once() -> None:
    with listening(_only_accept) as port, Running({"tcp": f"{THERE}:{port}"}) as running:
        assert running.gets(UP)
        running.loop.set_drained("unicom", drained=True)
        end = time.monotonic() + PATIENCE
        while not running.loop.states[0].drained and time.monotonic() < end:
            time.sleep(0.01)
        assert running.loop.states[0].shown == "drained"
        assert not running.loop.states[0].is_usable
