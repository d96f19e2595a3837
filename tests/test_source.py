"""Sources of data: folders, archives and addresses, whole, damaged and hostile."""

import errno
import gzip
import io
import re
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest

from snnbench.errors import DataError
from snnbench.suites.fetch import archive as archive_module
from snnbench.suites.fetch import transfer
from snnbench.suites.fetch.archive import unpacked_name
from snnbench.suites.fetch.source import cache_folder, locate, sha256_of

SHARED_UCI = Path(__file__).parents[2] / "shared" / "data" / "uci"
FILES = {"abalone/abalone.txt": b"n_clases= 3\n", "abalone/abalone_R.dat": b"\tf1\tclase\n1\t0.5\t2\n" * 500}
WANTED = re.compile(r"^(data/)?[^/]+/(?!raw)[^/]+\.(txt|dat)$")


def add_to_tar(tar: tarfile.TarFile, name: str, content: bytes = b"", **attributes: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    tar.addfile(info, io.BytesIO(content))


def make_tar(path: Path, files: dict[str, bytes] = FILES, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            add_to_tar(tar, name, content)
    return path


def make_zip(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != archive_module.LISTING)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@dataclass
class Site:
    """A web server on the loopback: what it has, what it claims, and what it was asked for."""

    address: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str | None]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(self.path)
            queue = site.statuses.get(self.path, [])
            status = queue.pop(0) if queue else 200 if self.path in site.pages else 404
            body = site.pages.get(self.path, b"") if status == 200 else b""
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | site.headers.get(self.path, {})).items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfer, "RETRY_WAITS_SECONDS", (0.0, 0.0))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.address = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["data.tar.gz", "data.tar.bz2", "data.tar.xz", "data.tar", "data.zip"])
def test_an_archive_is_unpacked_once(tmp_path: Path, name: str) -> None:
    cache = tmp_path / "cache"
    path = tmp_path / name
    files = FILES | {"abalone/raw/abalone.data": b"raw"}
    if name.endswith("zip"):
        make_zip(path, files)
    else:
        make_tar(path, {f"./{name}": content for name, content in files.items()}, "w:" + name[9:])
    reports: list[str] = []

    folder = locate("uci", (), str(path), wanted=WANTED, cache=cache, report=reports.append)
    assert folder == cache / "uci" / unpacked_name(path, WANTED)
    assert contents(folder) == FILES
    assert len(reports) == 1
    (folder / "trace").touch()
    assert locate("uci", (), str(path), wanted=WANTED, cache=cache, report=reports.append) == folder
    assert (folder / "trace").exists()
    assert len(reports) == 1
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.unix
def test_unpacked_files_can_be_read_by_others(tmp_path: Path) -> None:
    folder = locate("uci", (), str(make_tar(tmp_path / "data.tar.gz")), cache=tmp_path / "cache")
    ordinary = tmp_path / "ordinary"
    ordinary.mkdir()
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


@pytest.mark.unix
def test_a_folder_of_unpacked_files_is_used_as_it_is(tmp_path: Path) -> None:
    for prefix in ("plain", "nested/data"):
        (tmp_path / prefix / "abalone").mkdir(parents=True)
        (tmp_path / prefix / "abalone" / "abalone.txt").touch()
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "abalone").symlink_to(tmp_path / "plain" / "abalone")
    for name in ("plain", "nested", "linked"):
        folder = tmp_path / name
        assert locate("uci", (), str(folder), ("data.tar.gz",), WANTED, tmp_path / "cache") == folder
    assert not (tmp_path / "cache").exists()


def test_a_folder_with_archives_stands_for_the_preferred_one(tmp_path: Path) -> None:
    make_zip(tmp_path / "data_py.zip", {"data/abalone/abalone_py.dat": b"1,2\n"})
    archives = ("data.tar.gz", "data_py.zip")
    folder = locate("uci", (), str(tmp_path), archives, WANTED, tmp_path / "cache")
    assert contents(folder) == {"data/abalone/abalone_py.dat": b"1,2\n"}
    make_tar(tmp_path / "data.tar.gz")
    assert contents(locate("uci", (), str(tmp_path), archives, WANTED, tmp_path / "cache")) == FILES


def test_a_folder_without_files_of_the_suite_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataError, match=r"must hold data\.tar\.gz or the unpacked files, found none of these in"):
        locate("uci", (), str(tmp_path), ("data.tar.gz",), WANTED, tmp_path / "cache")


def test_missing_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found nothing at .*/nowhere"):
        locate("uci", (), str(tmp_path / "nowhere"), cache=tmp_path)
    with pytest.raises(DataError, match=r"'uci' has no official address.*--source DIR\|FILE\|URL"):
        locate("uci", (), cache=tmp_path)
    with pytest.raises(DataError, match=r"must begin with http:// or https://, found 'ftp://host/data\.zip'"):
        locate("uci", (), "ftp://host/data.zip", cache=tmp_path)


def assert_refused(path: Path, tmp_path: Path, match: str, wanted: re.Pattern[str] | None = None) -> None:
    """Check that an archive is refused, named with its size, and that nothing at all is written."""
    before = {found.relative_to(tmp_path) for found in tmp_path.rglob("*")}
    size = path.stat().st_size
    with pytest.raises(DataError, match=match) as caught:
        locate("uci", (), str(path), wanted=wanted, cache=tmp_path / "deep" / "cache")
    assert f"{path} ({size} bytes)" in str(caught.value)
    assert "Download it again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {found.relative_to(tmp_path) for found in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["data.tar.gz", "data.tar.bz2", "data.tar.xz", "data.tar", "data.zip"])
@pytest.mark.parametrize("kept", [0, 1, 30, 0.5, 0.9, -1])
def test_truncated_archives_are_refused(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    incompressible = FILES | {f"abalone/{i}.dat": bytes((i * j * j) % 251 for j in range(2000)) for i in range(9)}
    if name.endswith("zip"):
        make_zip(path, incompressible)
    else:
        make_tar(path, incompressible, "w:" + name[9:])
    whole = path.read_bytes()
    if name == "data.tar":
        whole = whole.rstrip(b"\0")  # its padding would not be missed
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert_refused(path, tmp_path, "cannot be used: it must")


def test_a_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "data.tar", mode="w:")
    path.write_bytes(path.read_bytes()[: 2 * tarfile.BLOCKSIZE])
    assert_refused(path, tmp_path, "it must end with an end-of-archive mark, found none after 1024 unpacked bytes")


@pytest.mark.parametrize("name", ["data.tar.gz", "data.zip"])
def test_a_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    content = bytes((3 * j * j) % 251 for j in range(20_000))
    path = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            file.writestr("abalone/abalone_R.dat", content)
    else:
        with gzip.GzipFile(path, "wb", compresslevel=0) as stream, tarfile.open(fileobj=stream, mode="w:") as tar:
            add_to_tar(tar, "abalone/abalone_R.dat", content)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert_refused(path, tmp_path, "CRC check failed|must match their checksums, 'abalone/abalone_R.dat' does not")


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    path = tmp_path / "data.tar.gz"
    path.write_text("<!DOCTYPE html><title>This page has moved</title>" * 100)
    assert_refused(path, tmp_path, "must be a zip or tar archive, found a file that begins with b'<!DOCTYPE html><'")


@pytest.mark.parametrize("name", ["../x.dat", "a/../../x.dat", "/tmp/x.dat", "..\\x.dat", "C:\\x.dat", "//host/x.dat"])
@pytest.mark.parametrize("kind", ["data.tar.gz", "data.zip"])
@pytest.mark.parametrize("wanted", [None, re.compile("^abalone/")])
def test_members_must_stay_inside(tmp_path: Path, name: str, kind: str, wanted: re.Pattern[str] | None) -> None:
    files = FILES | {name: b"evil"}
    path = make_zip(tmp_path / kind, files) if kind.endswith("zip") else make_tar(tmp_path / kind, files)
    shown = name.replace("\\", "/")
    assert_refused(path, tmp_path, f"must stay inside its folder, found '{re.escape(shown)}'", wanted)
    assert not Path("/tmp/x.dat").exists()


@pytest.mark.parametrize("type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused_where_wanted(tmp_path: Path, type_: bytes) -> None:
    path = tmp_path / "data.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        add_to_tar(tar, "abalone/abalone.txt", b"n_clases= 3\n")
        add_to_tar(tar, "abalone/raw", type=type_, linkname="/etc/passwd")
    assert_refused(path, tmp_path, "must be plain files, found the link or device 'abalone/raw'")
    folder = locate("uci", (), str(path), wanted=WANTED, cache=tmp_path / "cache")
    assert contents(folder) == {"abalone/abalone.txt": b"n_clases= 3\n"}


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as file:
        info = zipfile.ZipInfo("abalone/link.dat")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    assert_refused(path, tmp_path, "found the link or device 'abalone/link.dat'")


@pytest.mark.parametrize("kind", ["data.tar.gz", "data.zip"])
def test_the_declared_size_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    files = FILES | {"abalone/bomb.dat": bytes(200_000)}
    path = make_zip(tmp_path / kind, files) if kind.endswith("zip") else make_tar(tmp_path / kind, files)
    monkeypatch.setattr(archive_module, "MAX_UNPACKED_BYTES", 150_000)
    assert_refused(path, tmp_path, "may unpack to 150000 bytes at most, found more up to 'abalone/bomb.dat'")


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "data.zip", {"photo.jpg": b"", "photos/": b""})
    assert_refused(path, tmp_path, "must hold files of the suite, found none among 2 members", WANTED)


def test_an_unwritable_cache_is_named(tmp_path: Path, site: Site) -> None:
    # Below a regular file nobody can write, root included.
    blocked = tmp_path / "file"
    blocked.touch()
    site.pages["/data.tar.gz"] = make_tar(tmp_path / "data.tar.gz").read_bytes()
    for source in (str(tmp_path / "data.tar.gz"), f"{site.address}/data.tar.gz"):
        with pytest.raises(DataError, match=r"cache folder .*/file/cache.* Not a directory.*SNNBENCH_CACHE"):
            locate("uci", (), source, cache=blocked / "cache")
    assert site.requests == []


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = make_tar(tmp_path / "data.tar.gz")
    monkeypatch.setattr(shutil, "copyfileobj", fill)
    with pytest.raises(DataError, match=r"found: No space left on device.*SNNBENCH_CACHE"):
        locate("uci", (), str(path), cache=tmp_path / "cache")
    assert contents(tmp_path / "cache") == {}
    assert list((tmp_path / "cache" / "uci").iterdir()) == []


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    folder = locate("uci", (), str(make_tar(tmp_path / "data.tar.gz")))
    assert folder.parent == tmp_path / "chosen" / "uci"
    monkeypatch.setenv("SNNBENCH_CACHE", "")
    assert cache_folder() == Path(pooch.os_cache("snnbench"))


def test_another_process_may_finish_first(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "data.tar.gz")
    unpacked = tmp_path / "cache" / "uci" / unpacked_name(path, None)

    def finish_elsewhere(message: str) -> None:
        unpacked.mkdir(parents=True)
        (unpacked / "theirs").touch()

    assert locate("uci", (), str(path), cache=tmp_path / "cache", report=finish_elsewhere) == unpacked
    assert contents(unpacked) == {"theirs": b""}
    assert list(unpacked.parent.iterdir()) == [unpacked]


def test_two_processes_unpack_at_the_same_time(tmp_path: Path) -> None:
    files = {f"task-{i}/task-{i}.dat": b"1\t2\n" * 50 for i in range(1500)}
    path = make_tar(tmp_path / "data.tar.gz", files)
    code = "import sys; from pathlib import Path; from snnbench.suites.fetch.source import locate\n"
    # Both say that the package is imported, and wait until the other has done so too.
    code += "print('ready', flush=True); sys.stdin.readline()\n"
    code += "print(locate('uci', (), sys.argv[1], cache=Path(sys.argv[2])))"
    command = [sys.executable, "-W", "error", "-c", code, str(path), str(tmp_path / "cache")]
    root = Path(__file__).parents[1]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True) as one,
        subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True) as two,
    ):
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0] for process in (one, two)]
    folder = tmp_path / "cache" / "uci" / unpacked_name(path, None)
    assert (one.returncode, two.returncode) == (0, 0)
    assert outputs == [f"{folder}\n"] * 2
    assert contents(folder) == files
    assert list(folder.parent.iterdir()) == [folder]


def test_a_download_is_made_once(tmp_path: Path, site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.pages["/data.tar.gz"] = make_tar(tmp_path / "data.tar.gz").read_bytes()
    urls = (f"{site.address}/data.tar.gz",)
    reports: list[str] = []
    folder = locate("uci", urls, wanted=WANTED, cache=tmp_path / "cache", report=reports.append)
    assert contents(folder) == FILES
    assert [report.split()[0] for report in reports] == ["Downloading", "Unpacking"]
    assert locate("uci", urls, wanted=WANTED, cache=tmp_path / "cache", report=reports.append) == folder
    assert site.requests == ["/data.tar.gz"]
    assert len(reports) == 2
    # Nothing from pooch, and no partial files.
    assert capfd.readouterr() == ("", "")
    cached = sorted((tmp_path / "cache" / "uci" / "downloads").iterdir())
    assert [path.name.split("-")[1] for path in cached] == ["data.tar.gz", "data.tar.gz.sha256"]
    assert cached[1].read_text().strip() == sha256_of(cached[0]) == sha256_of(tmp_path / "data.tar.gz")


def test_a_url_may_be_the_source(tmp_path: Path, site: Site) -> None:
    site.pages["/get?file=1"] = make_zip(tmp_path / "data.zip").read_bytes()
    folder = locate("uci", ("http://never.invalid/a.zip",), f"{site.address}/get?file=1", cache=tmp_path / "cache")
    assert contents(folder) == FILES


def test_compression_undone_by_the_server_does_not_matter(tmp_path: Path, site: Site) -> None:
    site.pages["/data.tar.gz"] = make_tar(tmp_path / "data.tar.gz").read_bytes()
    site.headers["/data.tar.gz"] = {"Content-Encoding": "gzip"}
    folder = locate("uci", (), f"{site.address}/data.tar.gz", cache=tmp_path / "cache")
    assert contents(folder) == FILES


@pytest.mark.parametrize(("damaged", "recorded"), [(True, True), (True, False), (False, False)])
def test_a_damaged_cached_download_is_fetched_again(tmp_path: Path, site: Site, damaged: bool, recorded: bool) -> None:
    site.pages["/data.zip"] = make_zip(tmp_path / "data.zip").read_bytes()
    urls = (f"{site.address}/data.zip",)
    folder = locate("uci", urls, cache=tmp_path / "cache")
    cached, record = sorted((tmp_path / "cache" / "uci" / "downloads").iterdir())
    reports: list[str] = []
    if damaged:
        cached.write_bytes(cached.read_bytes()[:-10])
    if not recorded:
        record.unlink()
    assert locate("uci", urls, cache=tmp_path / "cache", report=reports.append) == folder
    assert cached.read_bytes() == site.pages["/data.zip"]
    assert record.read_text().strip() == sha256_of(cached)
    assert len(site.requests) == 1 + damaged
    assert any(f"{cached} is damaged and is fetched again" in report for report in reports) == damaged


def test_a_mirror_stands_in(tmp_path: Path, site: Site) -> None:
    site.pages["/mirror.zip"] = make_zip(tmp_path / "data.zip").read_bytes()
    site.pages["/moved.zip"] = b"<!DOCTYPE html>We have moved."
    urls = tuple(f"{site.address}/{name}.zip" for name in ("gone", "moved", "mirror"))
    reports: list[str] = []
    for _ in range(2):
        folder = locate("uci", urls, cache=tmp_path / "cache", report=reports.append)
        assert contents(folder) == FILES
    # A missing page is not asked for again, and the second call makes no request.
    assert site.requests == ["/gone.zip", "/moved.zip", "/mirror.zip"]
    assert f"No download from {urls[0]}: the server answered 404 Not Found" in reports
    assert any(f"No download from {urls[1]}: 29 bytes arrived, which cannot be used" in report for report in reports)


def test_a_busy_server_is_asked_again(tmp_path: Path, site: Site) -> None:
    site.pages["/data.zip"] = make_zip(tmp_path / "data.zip").read_bytes()
    site.statuses["/data.zip"] = [503, 429]
    assert contents(locate("uci", (), f"{site.address}/data.zip", cache=tmp_path / "cache")) == FILES
    assert site.requests == ["/data.zip"] * 3


def test_a_cut_connection_is_explained(tmp_path: Path, site: Site) -> None:
    whole = make_zip(tmp_path / "data.zip").read_bytes()
    site.pages["/data.zip"] = whole[: len(whole) // 2]
    site.headers["/data.zip"] = {"Content-Length": str(len(whole))}
    with pytest.raises(DataError, match=r"connection was cut before the end of the file.*--source DIR\|FILE\|URL"):
        locate("uci", (), f"{site.address}/data.zip", cache=tmp_path / "cache")
    assert site.requests == ["/data.zip"] * 3
    assert list((tmp_path / "cache" / "uci" / "downloads").iterdir()) == []


def test_a_half_that_claims_to_be_whole_is_not_kept(tmp_path: Path, site: Site) -> None:
    whole = make_tar(tmp_path / "data.tar.gz").read_bytes()
    site.pages["/data.tar.gz"] = whole[: len(whole) // 2]
    site.headers["/data.tar.gz"] = {"Content-Length": None}
    with pytest.raises(DataError, match=f"{len(whole) // 2} bytes arrived, which cannot be used: it must be a complete"):
        locate("uci", (), f"{site.address}/data.tar.gz", cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "uci" / "downloads").iterdir()) == []


def test_every_failed_address_is_named(tmp_path: Path, site: Site) -> None:
    urls = (f"{site.address}/a.zip", "http://127.0.0.1:1/b.zip", "http://[broken/c.zip")
    with pytest.raises(DataError) as caught:
        locate("uci", urls, cache=tmp_path / "cache")
    message = str(caught.value)
    assert f"{urls[0]} (the server answered 404 Not Found); {urls[1]} (" in message
    assert "Connection refused" in message
    assert f"{urls[2]} (" in message
    assert "\n" not in message


def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(transfer, "RETRY_WAITS_SECONDS", ())
    # It listens and never accepts.
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(DataError, match=r"\(no answer within 0\.1 seconds\)"),
    ):
        locate("uci", (), f"http://127.0.0.1:{server.getsockname()[1]}/data.zip", cache=tmp_path / "cache")


@pytest.mark.shared_data
def test_the_real_uci_archives(tmp_path: Path) -> None:
    wanted = re.compile(r"^(data/)?[^/]+/[^/]+\.(txt|dat)$")
    folder = locate("uci", (), str(SHARED_UCI), ("data.tar.gz", "data_py.zip"), wanted, tmp_path)
    assert sha256_of(SHARED_UCI / "data.tar.gz")[:16] == "38286877c4583ff7"
    assert sum(path.is_dir() for path in folder.iterdir()) == 121
    assert (folder / "abalone" / "abalone_R.dat").stat().st_size == 333_340
    processed = locate("uci", (), str(SHARED_UCI / "data_py.zip"), wanted=wanted, cache=tmp_path)
    assert sum(path.is_dir() for path in (processed / "data").iterdir()) == 12
    assert (processed / "data" / "abalone" / "labels_py.dat").stat().st_size == 8_354


@pytest.mark.shared_data
def test_the_real_uci_archive_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "data.tar.gz"
    path.write_bytes((SHARED_UCI / "data.tar.gz").read_bytes()[:10_000_000])
    assert_refused(path, tmp_path, "Compressed file ended before the end-of-stream marker")


def test_other_wanted_files_are_unpacked_elsewhere(tmp_path: Path) -> None:
    """A release that wants more files of an archive must not be served the folder of one that wanted fewer."""
    path = make_tar(tmp_path / "data.tar.gz")
    few = locate("uci", (), str(path), wanted=re.compile(r"\.txt$"), cache=tmp_path / "cache")
    more = locate("uci", (), str(path), wanted=WANTED, cache=tmp_path / "cache")
    assert few != more
    assert set(contents(few)) < set(contents(more))
