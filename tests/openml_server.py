"""OpenML on the loopback: the addresses that its client asks, answered from files, with faults on demand."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = tuple[int, str, bytes]
"""Status, content type and body."""

CACHE = ("org", "openml", "test")
"""Where a cache of openml-python keeps what it has from the test server."""


@dataclass
class Server:
    """What is served: files by path, and faults by path, each given once before the file."""

    address: str
    files: dict[str, bytes]
    faults: dict[str, list[Answer]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def api(self) -> str:
        """The address for the client."""
        return f"{self.address}/api/v1/xml"


@contextmanager
def serve(make: Callable[[str], dict[str, bytes]]) -> Iterator[Server]:
    """Serve what a function makes for an address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            server.asked[path] += 1
            faults = server.faults.get(path, [])
            if faults:
                status, kind, body = faults.pop(0)
            elif path in server.files:
                status, kind, body = 200, "text/plain; charset=utf-8", server.files[path]
            else:
                status, kind, body = 412, "text/xml", error_xml(372, "No results")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{listener.server_address[1]}", {})
    server.files = make(server.address)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()


def error_xml(code: int, message: str) -> bytes:
    return (
        f'<oml:error xmlns:oml="http://openml.org/openml"><oml:code>{code}</oml:code>'
        f"<oml:message>{message}</oml:message></oml:error>"
    ).encode()


def study_xml(number: int, tasks: list[int]) -> bytes:
    listed = "".join(f"<oml:task_id>{task}</oml:task_id>" for task in tasks)
    return (
        f'<oml:study xmlns:oml="http://openml.org/openml"><oml:id>{number}</oml:id>'
        f"<oml:main_entity_type>task</oml:main_entity_type><oml:tasks>{listed}</oml:tasks></oml:study>"
    ).encode()


def from_cache(root: Path, tasks: list[int], study: int = 99) -> Callable[[str], dict[str, bytes]]:
    """Return what makes the answers from a cache of openml-python, with its addresses turned to the loopback."""
    root = root.joinpath(*CACHE)

    def make(address: str) -> dict[str, bytes]:
        files = {f"/api/v1/xml/study/{study}": study_xml(study, tasks)}
        for task in tasks:
            text = (root / "tasks" / str(task) / "task.xml").read_text()
            data = re.search(r"<oml:data_set_id>(\d+)<", text)[1]
            splits = f"/api_splits/get/{task}/Task_{task}_splits.arff"
            files[f"/api/v1/xml/task/{task}"] = re.sub(
                r"(<oml:data_splits_url>)[^<]*", rf"\g<1>{address}{splits}", text
            ).encode()
            files[splits] = (root / "tasks" / str(task) / "datasplits.arff").read_bytes()
            place = root / "datasets" / data
            file = f"/data/download/{data}"
            description = (place / "description.xml").read_text()
            files[f"/api/v1/xml/data/{data}"] = re.sub(r"(<oml:url>)[^<]*", rf"\g<1>{address}{file}", description).encode()
            files[f"/api/v1/xml/data/features/{data}"] = (place / "features.xml").read_bytes()
            files[file] = (place / "dataset.arff").read_bytes()
        return files

    return make
