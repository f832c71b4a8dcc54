"""Serve S3 by moto on a port of 127.0.0.1, honestly or not.

    python moto_app.py PORT MODE

moto decides conditional writes in two steps, and its threads come in between. Behind one
lock it is atomic. The modes that lie are servers that exist:

    honest    one request after the other
    ignoring  a condition is answered as if it were met, like some gateways do
    racing    looks first and writes later, without a lock between
    stale     for a while still answers that something is not there
"""

import io
import os
import sys
import threading
import time
from contextlib import nullcontext

# Pages of listings are crossed by few objects.
os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = "50"

from moto.server import create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

RACE_S = 0.005
STALE_S = 0.2


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log(self, *arguments):
        pass


class Server:
    def __init__(self, mode):
        self.mode = mode
        self.inner = create_backend_app("s3")
        self.lock = nullcontext() if mode == "racing" else threading.Lock()
        self.missing = {}

    def __call__(self, environment, start_response):
        length = int(environment.get("CONTENT_LENGTH") or 0)
        if length:
            environment["wsgi.input"] = io.BytesIO(environment["wsgi.input"].read(length))
        self.prepare(environment)
        status, headers, body = self.ask(environment)
        path, method = environment["PATH_INFO"], environment["REQUEST_METHOD"]
        if self.mode == "stale" and method == "GET":
            status, headers, body = self.forget(path, status, headers, body)
        start_response(status, headers)
        return body

    def prepare(self, environment):
        """Break the server's word about a condition."""
        if environment["REQUEST_METHOD"] != "PUT" or "HTTP_IF_NONE_MATCH" not in environment:
            return
        if self.mode == "ignoring":
            del environment["HTTP_IF_NONE_MATCH"]
        if self.mode == "racing":
            question = {**environment, "REQUEST_METHOD": "HEAD", "wsgi.input": io.BytesIO()}
            question["CONTENT_LENGTH"] = "0"
            question.pop("HTTP_IF_NONE_MATCH")
            status, _, _ = self.ask(question)
            time.sleep(RACE_S)
            if status.startswith("404"):
                del environment["HTTP_IF_NONE_MATCH"]

    def ask(self, environment):
        answer = []

        def keep(status, headers, error=None):
            answer[:] = [status, headers]

        with self.lock:
            pieces = self.inner(environment, keep)
            try:
                body = list(pieces)
            finally:
                getattr(pieces, "close", lambda: None)()
        return (*answer, body)

    def forget(self, path, status, headers, body):
        if status.startswith("404"):
            self.missing[path] = time.monotonic(), status, headers, body
        elif path in self.missing and time.monotonic() - self.missing[path][0] < STALE_S:
            return self.missing[path][1:]
        return status, headers, body


if __name__ == "__main__":
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        Server(sys.argv[2]),
        threaded=True,
        request_handler=Handler,
    )
