"""OpenML on the loopback: the addresses that its client asks, answered from files, with faults on demand."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

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
    key: str = "0123456789abcdef"
    posted: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    flows: dict[tuple[str, str], int] = field(default_factory=dict)

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
            self.answer(status, kind, body)

        def do_POST(self) -> None:
            path, sent = self.path.rstrip("/"), self.rfile.read(int(self.headers["Content-Length"]))
            fields = sent_fields(self.headers["Content-Type"], sent)
            server.asked[path] += 1
            faults = server.faults.get(path, [])
            self.answer(*(faults.pop(0) if faults else accept(server, path.rpartition("/xml/")[2], fields)))

        def answer(self, status: int, kind: str, body: bytes) -> None:
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


def sent_fields(kind: str, body: bytes) -> dict[str, str]:
    """Return the fields and the files of a form, by name."""
    if not kind.startswith("multipart/"):
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}
    parts = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).iter_parts()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode().rstrip("\r\n")
        for part in parts
    }


def accept(server: Server, call: str, fields: dict[str, str]) -> Answer:
    """Answer what was sent, if its key is right; flows and runs are numbered as they come."""
    if fields.pop("api_key", "") != server.key:
        return 412, "text/xml", error_xml(103, "Authentication failed")
    server.posted.append((call, fields))
    if call == "flow/exists":
        number = server.flows.get((fields["name"], fields["external_version"]), -1)
        return 200, "text/xml", answer_xml("flow_exists", exists=str(number > 0).lower(), id=number)
    described = ElementTree.fromstring(fields["description"])
    if call == "flow":
        words = [described.findtext(f"{{*}}{name}") for name in ("name", "external_version")]
        number = server.flows.setdefault(tuple(words), 500 + len(server.flows))
        return 200, "text/xml", answer_xml("upload_flow", id=number)
    n_runs = [call for call, _ in server.posted].count("run")
    return 200, "text/xml", answer_xml("upload_run", run_id=9000 + n_runs)


def answer_xml(what: str, **values: object) -> bytes:
    inside = "".join(f"<oml:{name}>{value}</oml:{name}>" for name, value in values.items())
    return f'<oml:{what} xmlns:oml="http://openml.org/openml">{inside}</oml:{what}>'.encode()


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
