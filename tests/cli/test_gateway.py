"""The commands' HTTP client, over real sockets: what was sent, what came back, and whether anything can have left."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mmsproxy.cli.gateway import NoAnswer, Target, Unreachable, post, target_of

Server = Callable[[bytes], tuple[str, list[bytes]]]


@pytest.fixture
def server() -> Iterator[Server]:
    """Serves one connection: reads a whole request, sends the given octets, closes."""
    threads: list[threading.Thread] = []

    def start(answer: bytes) -> tuple[str, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        heard: list[bytes] = []

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                data = b""
                while b"\r\n\r\n" not in data or not data.endswith(b"END"):
                    data += connection.recv(65536)
                heard.append(data)
                connection.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}", heard

    yield start
    for thread in threads:
        thread.join(10)


GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Mmsproxy-Origin: gateway\r\nContent-Length: 3\r\n\r\nyes"


def test_a_post_and_its_answer(server: Server) -> None:
    where, heard = server(GOOD)
    answer = post(f"http://{where}/a/b?c=d", {"X-One": "1"}, b"body END", timeout=10)
    assert (answer.status, answer.content_type, answer.origin, answer.body) == (200, "a/b", "gateway", b"yes")
    assert answer.seconds >= 0
    head = heard[0].decode().split("\r\n")
    assert head[0] == "POST /a/b?c=d HTTP/1.1"
    assert {f"Host: {where}", "X-One: 1", "Connection: close", "Content-Length: 8"} <= set(head)


def test_without_an_origin_header_the_carrier_answered(server: Server) -> None:
    where, _ = server(b"HTTP/1.0 500 No\r\n\r\nx")
    answer = post(f"http://{where}", {}, b"END", timeout=10)
    assert (answer.status, answer.origin, answer.content_type, answer.body) == (500, "carrier", "", b"x")


@pytest.mark.parametrize("prefix", ["", "http://"])
def test_through_a_proxy_the_request_line_has_the_whole_url(server: Server, prefix: str) -> None:
    where, heard = server(GOOD)
    post("http://mmsc.example/mms", {}, b"END", timeout=10, proxy=prefix + where)
    head = heard[0].decode().split("\r\n")
    assert head[0] == "POST http://mmsc.example/mms HTTP/1.1"
    assert "Host: mmsc.example" in head


def test_the_environments_proxy_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    where, _ = server(GOOD)
    assert post(f"http://{where}", {}, b"END", timeout=10).status == 200


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"not HTTP at all\r\n\r\n"])
def test_no_whole_answer_leaves_it_open_whether_it_was_sent(server: Server, answer: bytes) -> None:
    where, _ = server(answer)
    with pytest.raises(NoAnswer, match="may have been sent"):
        post(f"http://{where}", {}, b"END", timeout=10)


def test_silence_leaves_it_open_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer, match="may have been sent"):
        post(f"http://127.0.0.1:{silent.getsockname()[1]}", {}, b"x", timeout=0.1)


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1:{port}.*mmsproxy serve"):
        post(f"http://127.0.0.1:{port}", {}, b"x", timeout=10)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8091", "ftp://h/", "http://", "http://[::1", "http://h:99999", "http://h/\r\nX: y", "http://h/\u00fc"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Unreachable, match="http://HOST:PORT"):
        target_of(url)


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://h", Target("http", "h", 80, "/"), "h"),
        ("http://h:81/a?b", Target("http", "h", 81, "/a?b"), "h:81"),
        ("https://h/", Target("https", "h", 443, "/"), "h"),
        ("http://[::1]:8090", Target("http", "::1", 8090, "/"), "[::1]:8090"),
        ("http://h?x=y", Target("http", "h", 80, "/?x=y"), "h"),
    ],
)
def test_a_url_is_taken_apart(url: str, target: Any, authority: str) -> None:
    assert target_of(url) == target
    assert target.authority == authority
    assert target_of(target.url) == target
