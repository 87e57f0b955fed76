"""Spans of real searches, received over HTTP as a collector would; nothing where no endpoint is configured."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from reasoner import telemetry

SEARCH = Path(__file__).parent / "batch" / "victim.py"


class Collector(BaseHTTPRequestHandler):
    received: list[tuple[str, bytes]] = []

    def do_POST(self) -> None:
        self.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[HTTPServer]:
    Collector.received.clear()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def received() -> list[Any]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for path, body in Collector.received:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def facts(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_a_run_sends_a_span_for_each_task_with_one_for_each_head_below_it(
    collector: HTTPServer, tmp_path: Path
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}", "PATH": "/usr/bin"}
    ran = subprocess.run([sys.executable, SEARCH, tmp_path / "out", "3"], env=endpoint, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    spans = received()
    tasks = {span.span_id: facts(span) for span in spans if not span.parent_span_id}
    assert {each["reasoner.task"] for each in tasks.values()} == {"q/0", "q/1", "q/2"}
    assert {each["gen_ai.operation.name"] for each in tasks.values()} == {"invoke_agent"}
    assert {each["reasoner.status"] for each in tasks.values()} <= {"solved", "unsolved"}
    heads = [span for span in spans if span.parent_span_id]
    assert {span.name for span in heads} == {"chat scripted"} and {span.parent_span_id for span in heads} == set(tasks)
    assert all(facts(span)["gen_ai.usage.output_tokens"] > 0 for span in heads)
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    assert not any(b"modulo" in body or b"Let me see" in body for _, body in Collector.received), "no text leaves"


FAILING = """
import asyncio
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from reasoner.telemetry import spans
from reasoner.types import Task

async def search():
    with spans() as told:
        core = ScriptedCore([Reply(fails="the server with the secret is away")])
        await Reasoner(core, ScriptedSandbox(), Single(), clock=core.clock).solve(Task("q", "?"), told)

asyncio.run(search())
"""


def test_a_search_that_failed_says_so_by_the_kind_of_its_failure(collector: HTTPServer) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}", "PATH": "/usr/bin"}
    ran = subprocess.run([sys.executable, "-c", FAILING], env=endpoint, capture_output=True, text=True)
    assert ran.returncode == 1 and "CoreError" in ran.stderr
    [task] = [span for span in received() if not span.parent_span_id]
    assert facts(task)["error.type"] == "CoreError" and task.status.code == task.status.STATUS_CODE_ERROR
    assert not any(b"secret" in body for _, body in Collector.received), "no text leaves"


def test_without_an_endpoint_nothing_is_imported_and_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in telemetry.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    program = (
        "import sys; from reasoner.telemetry import spans\n"
        "with spans() as listener: listener(None)\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PATH": "/usr/bin"})
    assert telemetry.missing({}) == ""
    said = telemetry.missing({telemetry.ENDPOINTS[1]: "http://127.0.0.1:1"})
    assert said == "" or said.endswith("pip install 'reasoner[otel]', or unset it")
