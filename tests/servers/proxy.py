"""An HTTP server between a client and a server that breaks on purpose, and counts."""

import http.client
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    headers: dict
    body: bytes


class Answer(NamedTuple):
    """What is answered instead of the server's answer."""

    status: int
    code: str = ""
    headers: tuple = ()

    @property
    def body(self):
        if not self.code:
            return b""
        return f"<?xml version='1.0'?><Error><Code>{self.code}</Code></Error>".encode()


class Proxy:
    """Pass requests on to a server, unless a fault is planned for the next one.

    A fault is an `Answer`, or one of

    - ``"cut_before"``: the connection ends before the server has seen anything,
    - ``"cut_during"``: it ends when the server has half of the body,
    - ``"cut_after"``: the server has acted, its answer is lost,
    - ``"hang"``: there is no answer, for as long as `hang_s`,
    - ``"cut_answer"``: the answer ends in its middle,

    or None, which lets one request pass. Without a server every request needs an answer.

    Parameters
    ----------
    port
        Of the server behind.
    select
        Which requests faults are for.
    """

    def __init__(self, port=None, *, select=lambda request: True, hang_s=5.0):
        self.upstream = port
        self.select = select
        self.hang_s = hang_s
        self.faults = deque()
        self.always = None
        self.requests = []
        self.lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def plan(self, *faults):
        self.faults.extend(faults)

    @property
    def sent(self):
        """Method and path of every request, without the query."""
        return [(one.method, one.path.partition("?")[0]) for one in self.requests]

    def take_fault(self, request):
        with self.lock:
            self.requests.append(request)
            if not self.select(request):
                return None
            return self.faults.popleft() if self.faults else self.always


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    owner: Proxy

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        headers = dict(self.headers)
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        fault = self.owner.take_fault(request)
        if fault == "hang":
            time.sleep(self.owner.hang_s)
            fault = "cut_before"
        if fault == "cut_before":
            self.close_connection = True
        elif fault == "cut_during":
            self.send_half(request)
            self.close_connection = True
        elif isinstance(fault, Answer):
            self.answer(fault.status, fault.headers, fault.body)
        else:
            self.pass_on(request, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

    def pass_on(self, request, fault):
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.upstream, timeout=30)
        try:
            connection.request(request.method, request.path, request.body or None, request.headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            connection.close()
        if fault == "cut_after":
            self.close_connection = True
            return
        headers = [
            (name, value)
            for name, value in answer.getheaders()
            if name.lower() not in {"connection", "content-length", "date", "server"}
        ]
        length = answer.getheader("Content-Length") if request.method == "HEAD" else len(body)
        self.answer(answer.status, headers, body, length=length, cut=fault == "cut_answer")

    def answer(self, status, headers, body, *, length=None, cut=False):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def send_half(self, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.upstream, timeout=30)
        connection.putrequest(request.method, request.path, skip_host=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body[: len(request.body) // 2])
        connection.close()

    def log_message(self, *_):
        pass
