"""A small W&B server on 127.0.0.1, with the part of W&B's interface by which the client logs, resumes and syncs."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.tracking.artifacts import Artifacts

KEY = "5f" * 20
"""A key of forty characters, as the client requires."""
STREAM = re.compile(r"/files/[^/]+/[^/]+/([^/]+)/file_stream$")


@dataclass
class Run:
    """The data that a server has received of a run.

    Attributes:
        upserts: the client's descriptions of the run: group, tags, config, ...
        lines: the rows of the history, by line number.
        summary: the last summary.
        exit_code: None until the run has ended.
    """

    upserts: list[dict[str, Any]] = field(default_factory=list)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [self.lines[number] for number in sorted(self.lines)]


class Server:
    """The server; it stores all data that it receives.

    Args:
        port: 0 for a free port; the port of a stopped server to start it again.

    Attributes:
        runs: the runs by their ids.
        files: uploaded content by path.
        uploads: the paths of uploads, in order.
        views: workspaces by id.
        artifacts: the artifacts of all runs.
        asked: the names of the GraphQL operations, in order.
        status: the status of all answers; 200 for normal operation.
        requests: the number of requests.
    """

    def __init__(self, port: int = 0) -> None:
        self.runs: dict[str, Run] = defaultdict(Run)
        self.files: dict[str, bytes] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.artifacts = Artifacts()
        self.uploads: list[str] = []
        self.asked: list[str] = []
        self.status = 200
        self.requests = 0
        self._lock = threading.Lock()
        self.start(port)

    def start(self, port: int) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                server._connections.append(self.connection)

            def answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with server._lock:
                    server.requests += 1
                    status, answer = server._answer(method, self.path, body, self.headers)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self.answer("GET")

            def do_POST(self) -> None:
                self.answer("POST")

            def do_PUT(self) -> None:
                self.answer("PUT")

            def log_message(self, *_: object) -> None:
                pass

        class Http(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Ignore clients that close the connection."""

        self._connections: list[socket.socket] = []
        self._http = Http(("127.0.0.1", port), Handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Accept no more connections, and close the open ones."""
        self._http.shutdown()
        self._http.server_close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, Any]:
        if self.status != 200:
            return self.status, {"error": "as the test wants it"}
        if path == "/graphql":
            asked = json.loads(body)
            return 200, {"data": self._graphql(asked["query"], asked.get("variables") or {})}
        if stream := STREAM.match(path):
            self._take(self.runs[stream[1]], json.loads(body))
            return 200, {"limits": {}}
        if method == "PUT":
            self.uploads.append(path.removeprefix("/upload/"))
            self.files[self.uploads[-1]] = body
        return 200, {}

    def _resumed(self, name: str) -> dict[str, Any] | None:
        run = self.runs.get(name)
        project = {"id": "project", "name": "project", "entity": {"id": "team", "name": "team"}}
        if run is None or not run.upserts:
            return {**project, "bucket": None}
        bucket = {
            "id": f"id-{name}",
            "name": name,
            "displayName": name,
            "summaryMetrics": json.dumps(run.summary),
            "logLineCount": 0,
            "eventsLineCount": 0,
            "historyLineCount": len(run.lines),
            "historyTail": json.dumps([json.dumps(row) for row in run.rows[-1:]]),
            "eventsTail": "[]",
            "config": next((upsert["config"] for upsert in run.upserts[::-1] if upsert.get("config")), "{}"),
            "tags": [],
            "wandbConfig": '{"t": 1}',  # without it the client assumes that the run never started
        }
        return {**project, "bucket": bucket}

    def _take(self, run: Run, sent: dict[str, Any]) -> None:
        for name, part in (sent.get("files") or {}).items():
            if name == "wandb-history.jsonl":
                for number, line in enumerate(part["content"], part["offset"]):
                    run.lines[number] = json.loads(line)
            elif name == "wandb-summary.json":
                run.summary = json.loads(part["content"][-1])
        if sent.get("complete"):
            run.exit_code = sent.get("exitcode")

    def _graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        name = re.search(r"(?:query|mutation)\s+(\w+)", query)
        self.asked.append(name[1] if name else query[:200])
        if name is not None and name[1] == "RunResumeStatus":
            return {"model": self._resumed(variables["name"])}
        if "upsertBucket" in query:
            run = self.runs[variables["name"]]
            inserted = not run.upserts
            run.upserts.append(variables)
            project = {"name": variables.get("project") or "uncategorized", "entity": {"name": "team"}}
            bucket = {
                "id": f"id-{variables['name']}",
                "name": variables["name"],
                "displayName": variables.get("displayName"),
                "description": None,
                "config": variables.get("config"),
                "sweepName": None,
                "historyLineCount": len(run.lines),
                "project": {"id": "project", **project},
            }
            return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}
        if name is not None and (answer := self.artifacts.answer(name[1], variables, self.address)):
            return answer
        if "upsertView" in query:
            identity = variables.get("id") or f"view-{len(self.views)}"
            inserted = identity not in self.views
            self.views[identity] = variables
            return {"upsertView": {"view": {"id": identity, "name": variables["name"]}, "inserted": inserted}}
        if "createRunFiles" in query:
            files = [
                {"name": file, "uploadUrl": f"{self.address}/upload/{variables['run']}/{file}"}
                for file in variables["files"]
            ]
            return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}
        if "viewer" in query:
            viewer = {"id": "someone", "entity": "team", "username": "someone", "flags": "{}", "teams": {"edges": []}}
            return {"viewer": viewer, "serverInfo": None}
        return {}
