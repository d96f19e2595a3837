"""Downloads from servers that break, stall, lie and change their minds: all of them on the loopback."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from test_source import FILES, contents, make_zip

from snnbench.errors import DataError
from snnbench.suites.fetch import transfer
from snnbench.suites.fetch.bundle import add_to_bundle, find_in_bundle
from snnbench.suites.fetch.source import locate, sha256_of

CUT = 300_000


@dataclass
class Server:
    """A server of one file that can go on with a broken download, and what it does wrong at each request, in turn."""

    address: str = ""
    content: bytes = b""
    etag: str = '"one"'
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    n_sent: int = 0

    @property
    def url(self) -> str:
        """The address of the file."""
        return f"{self.address}/data.zip"


def answer(handler: BaseHTTPRequestHandler, server: Server) -> None:
    """Send the file or the rest of it, as the next fault says."""
    fault = server.faults.pop(0) if server.faults else ""
    range_ = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    server.requests.append(handler.headers.get("Range", "whole"))
    start = int(range_[1]) if range_ and handler.headers.get("If-Range") == server.etag else 0
    if start >= len(server.content):
        fault = "416"
    if fault.isdecimal():
        handler.send_response(int(fault))
        if fault == "503":
            handler.send_header("Retry-After", "0")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    body = server.content[start:]
    length = len(body)
    if fault == "wrong bytes":
        body = b"x" * len(body)
    if fault == "another part":
        start = start + 1 if start else 0
    if fault == "shorter than announced":
        length = len(body) // 2
    if fault == "huge":
        length = 10**15
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
    if fault not in ("endless", "no length"):
        handler.send_header("Content-Length", str(length))
    if server.etag:
        handler.send_header("ETag", server.etag)
    handler.end_headers()
    if fault in ("break", "stall", "endless"):
        body = body[:CUT]
    handler.wfile.write(body[:length])
    server.n_sent += len(body[:length])
    if fault == "stall":
        time.sleep(1.0)
    if fault == "endless":
        for _ in range(1000):
            handler.wfile.write(bytes(2**16))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                answer(self, state)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfer, "RETRY_WAITS_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.3)
    random = np.random.default_rng(0).bytes(1_000_000)
    state.content = make_zip(tmp_path / "served.zip", FILES | {"abalone/noise.dat": random}).read_bytes()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.address = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def get(server: Server, tmp_path: Path) -> Callable[..., Path]:
    """Return what locates the server's archive; ``get.reports`` holds what was said."""

    def locate_it(url: str = "", **options: object) -> Path:
        return locate("uci", (), url or server.url, cache=tmp_path / "cache", report=locate_it.reports.append, **options)  # type: ignore[attr-defined, arg-type]

    locate_it.reports = []  # type: ignore[attr-defined]
    return locate_it


def downloads(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "uci" / "downloads").iterdir())


@pytest.mark.parametrize("fault", ["break", "stall"])
def test_a_broken_download_goes_on_where_it_broke(server, get, fault):
    server.faults = [fault, fault]
    folder = get()
    assert contents(folder)["abalone/noise.dat"] == np.random.default_rng(0).bytes(1_000_000)
    first, *others = server.requests
    assert first == "whole"
    starts = [int(re.fullmatch(r"bytes=(\d+)-", request)[1]) for request in others]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1]
    assert server.n_sent < len(server.content) + 2 * 2**16  # at most the chunks in flight were sent twice
    assert any("are kept; next attempt" in report for report in get.reports)


def test_another_process_goes_on_where_one_gave_up(server, get, tmp_path):
    server.faults = ["break", "404"]
    with pytest.raises(DataError, match="the server answered 404"):
        get()
    kept = next(path for path in downloads(tmp_path) if path.name.endswith(".part"))
    n_kept = kept.stat().st_size
    assert n_kept >= CUT // 2
    contents(get())
    assert server.requests[-1] == f"bytes={n_kept}-"
    assert [path.suffix for path in downloads(tmp_path)] == [".zip", ".sha256"]


def test_a_long_download_may_break_any_number_of_times(server, get, monkeypatch):
    monkeypatch.setattr(transfer, "_PROGRESS_BYTES", 1)
    monkeypatch.setattr(sys.modules[__name__], "CUT", 150_000)
    server.faults = ["break"] * 5
    assert "abalone/noise.dat" in contents(get())
    assert len(server.requests) == 6


def test_a_file_that_changed_meanwhile_is_not_pieced_together(server, get, tmp_path):
    server.faults = ["break", "404"]
    with pytest.raises(DataError):
        get()
    server.content, server.etag = make_zip(tmp_path / "new.zip", {"a.dat": bytes(800_000)}).read_bytes(), '"two"'
    assert contents(get()) == {"a.dat": bytes(800_000)}
    assert server.requests[-1].startswith("bytes=")  # asked for the rest, got the new whole


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_sign_of_the_file_a_download_begins_again(server, get, etag):
    server.etag, server.faults = etag, ["break"]
    contents(get())
    assert server.requests == ["whole", "whole"]


def test_a_part_that_the_server_does_not_have_is_thrown_away(server, get):
    server.faults = ["break", "416"]
    contents(get())
    assert server.requests[1].startswith("bytes=")
    assert server.requests[2] == "whole"


def test_another_part_than_asked_for_is_not_used(server, get):
    server.faults = ["break", "another part"]
    contents(get())
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("faults", "reason", "n_requests"),
    [
        (["404"], "the server answered 404 Not Found", 1),
        (["416"], "the server answered 416", 1),
        (["503"] * 3, "the server answered 503", 3),
        (["stall"] * 3, "no answer within 0.3 seconds", 3),
        (["wrong bytes"], "which cannot be used: it must be a zip or tar archive", 1),
        (["shorter than announced"], "which cannot be used: it must be a complete", 1),
        (["huge"], "bytes at most, found 1,000,000,000,000,000 or more", 1),
        (["endless"], "it must have 5,000,000 bytes at most", 1),
    ],
)
def test_a_download_that_cannot_be_had_says_why_and_leaves_no_archive(
    server, get, tmp_path, monkeypatch, faults, reason, n_requests
):
    monkeypatch.setattr(transfer, "MAX_DOWNLOAD_BYTES", 5_000_000)
    server.faults = [*faults]
    with pytest.raises(DataError, match=re.escape(reason)) as caught:
        get()
    assert "\n" not in str(caught.value)
    assert len(server.requests) == n_requests
    assert [path for path in downloads(tmp_path) if not path.name.startswith(".")] == []
    server.faults = []
    assert "abalone/noise.dat" in contents(get())  # and the next attempt is not spoiled


def test_a_busy_server_says_when_to_come_back(server, get):
    server.faults = ["503"]
    contents(get())
    assert any("the server answered 503 Service Unavailable); next attempt in 0 seconds" in report for report in get.reports)


def test_waits_grow_are_spread_and_are_limited(monkeypatch):
    assert len({transfer._wait(1.0, None) for _ in range(20)}) > 10
    assert all(1 <= transfer._wait(1.0, None) <= 1.5 for _ in range(20))
    response = type("Response", (), {"headers": {"Retry-After": "86400"}})()
    assert transfer._wait(1.0, response) == transfer.MAX_WAIT_SECONDS


def test_an_address_may_say_which_bytes_it_must_give(server, get, tmp_path):
    right = sha256_of(tmp_path / "served.zip")
    with pytest.raises(DataError, match=f"their SHA-256 must be {'0' * 64}, found {right}"):
        get(f"{server.url}#sha256={'0' * 64}")
    assert "abalone/noise.dat" in contents(get(f"{server.url}#sha256={right.upper()}"))


def test_an_address_must_give_the_bytes_of_the_first_time(server, get, tmp_path):
    get()
    [cached, record] = downloads(tmp_path)
    known = record.read_text().strip()
    cached.write_bytes(cached.read_bytes()[:-1])
    server.content = make_zip(tmp_path / "new.zip", {"a.dat": b"other"}).read_bytes()
    with pytest.raises(DataError, match=f"SHA-256 must be {known}, found .*is to be trusted, remove {re.escape(str(record))}"):
        get()
    assert any(f"The cached download {cached} is damaged" in report for report in get.reports)
    record.unlink()
    assert contents(get()) == {"a.dat": b"other"}


def test_without_the_network_the_cache_is_all(server, get, monkeypatch):
    with pytest.raises(
        DataError, match=r"Without the network the data must be in the cache already.*data fetch all --to bundle"
    ):
        get(offline=True)
    monkeypatch.setenv("SNNBENCH_OFFLINE", "1")
    with pytest.raises(DataError, match="Without the network"):
        get()
    assert server.requests == []
    monkeypatch.setenv("SNNBENCH_OFFLINE", "0")
    folder = get()
    assert get(offline=True) == folder
    assert len(server.requests) == 1


def test_a_mirror_is_asked_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBENCH_MIRROR", f"{server.address}/")
    folder = locate("uci", ("http://never.invalid/folder/data.zip",), cache=tmp_path / "cache")
    assert "abalone/noise.dat" in contents(folder)


def test_a_proxy_is_used(server, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", server.address)
    assert "abalone/noise.dat" in contents(locate("uci", ("http://never.invalid/data.zip",), cache=tmp_path / "cache"))


def test_progress_is_told(server, get, monkeypatch):
    monkeypatch.setattr(transfer, "_SECONDS_BETWEEN_REPORTS", 0.0)
    get()
    assert any(re.fullmatch(r"\d\.\d MB of 1\.0 MB", report) for report in get.reports)


def test_two_processes_download_once(server, tmp_path):
    code = (
        "import sys; from pathlib import Path; from snnbench.suites.fetch.source import locate\n"
        "print(locate('uci', (), sys.argv[1], cache=Path(sys.argv[2]), report=lambda m: print(m, file=sys.stderr)))"
    )
    server.faults = ["stall"]
    command = [sys.executable, "-c", code, server.url, str(tmp_path / "cache")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert answers[0][0] == answers[1][0]
    assert server.requests.count("whole") == 1
    assert sum("Downloading" in err for _, err in answers) == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "other bytes"])
def test_a_damaged_unpacked_file_is_named_and_unpacked_again(get, server, damage):
    folder = get()
    file = folder / "abalone" / "abalone.txt"
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(FILES["abalone/abalone.txt"][:-1] + (b"" if damage == "cut" else b"X"))
    assert get() == folder
    assert file.read_bytes() == FILES["abalone/abalone.txt"]
    assert any("is damaged and is unpacked again" in report and "abalone/abalone.txt" in report for report in get.reports)
    assert len(server.requests) == 1


# Bundles


def test_a_bundle_serves_without_a_network(tmp_path):
    archive = make_zip(tmp_path / "data.zip")
    add_to_bundle(tmp_path / "bundle", "core", make_zip(tmp_path / "other.zip"), "other.zip", "somewhere")
    copy = add_to_bundle(tmp_path / "bundle", "uci", archive, "data.zip", "http://somewhere/data.zip")
    assert copy == tmp_path / "bundle" / "uci" / "data.zip"
    entries = json.loads((tmp_path / "bundle" / "MANIFEST.json").read_text())["suites"]
    assert entries["uci"] == {
        "file": "uci/data.zip", "sha256": sha256_of(archive), "size_bytes": archive.stat().st_size,
        "origin": "http://somewhere/data.zip",
    }  # fmt: skip
    assert set(entries) == {"core", "uci"}
    moved = (tmp_path / "bundle").rename(tmp_path / "moved")
    assert contents(locate("uci", ("http://never.invalid/data.zip",), str(moved), cache=tmp_path / "cache")) == FILES


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda b: (b / "uci" / "data.zip").write_bytes(b"PK"), "The SHA-256 of .* must be .* by its manifest"),
        (lambda b: (b / "uci" / "data.zip").unlink(), "The bundle must hold .*data.zip"),
        (lambda b: (b / "MANIFEST.json").write_text("{"), "must be the manifest of a bundle"),
        (lambda b: (b / "MANIFEST.json").write_text('{"suites": {"uci": 1}}'), "must be the manifest of a bundle"),
        (lambda b: (b / "MANIFEST.json").write_text("[" * 100_000), "must be the manifest of a bundle"),
        (lambda b: (b / "MANIFEST.json").write_text('{"suites": {}}'), "must hold the suite uci, found none"),
        (
            lambda b: (b / "MANIFEST.json").write_text('{"suites": {"uci": {"file": "../../etc/passwd", "sha256": "0"}}}'),
            "must name files inside the bundle",
        ),
    ],
)
def test_a_damaged_bundle_is_refused(tmp_path, damage, reason):
    add_to_bundle(tmp_path / "bundle", "uci", make_zip(tmp_path / "data.zip"), "data.zip", "")
    damage(tmp_path / "bundle")
    with pytest.raises(DataError, match=reason):
        find_in_bundle(tmp_path / "bundle", "uci")
