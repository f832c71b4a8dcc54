"""Servers for tests: on free ports of 127.0.0.1, started once when first asked for.

They end with the test process, however that ends. What is not installed skips the test
that wants it, and says what is missing.
"""

import atexit
import functools
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from itertools import count
from pathlib import Path

import pytest

HERE = Path(__file__).parent
START_S = 60.0
NUMBERS = count()
KEYS = {"access_key_id": "AKIDTEST", "secret_access_key": "SECRETTEST"}
CLOUD_VARIABLES = ("AWS_", "AZURE_", "GOOGLE_", "GCP_", "HTTP_PROXY", "HTTPS_PROXY")


def leave_clouds(monkeypatch):
    """Take away what the clients of the clouds read from the environment."""
    for name in list(os.environ):
        if name.upper().startswith(CLOUD_VARIABLES):
            monkeypatch.delenv(name)


def find_port():
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def need_packages(*names):
    """Skip the test if one of these packages is not installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}, which is not installed")


class Server:
    """A server that runs: its address, and how it is stopped."""

    def __init__(self, command, port, *, cwd=None):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "supervisor.py"), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
        )
        atexit.register(self.stop)
        self.wait()

    def wait(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError("the server does not answer")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        atexit.unregister(self.stop)


@functools.cache
def run_moto(mode="honest"):
    """Return a moto server of S3; `moto_app.py` says what the modes are."""
    need_packages("obstore", "moto", "flask")
    port = find_port()
    return Server([sys.executable, str(HERE / "moto_app.py"), str(port), mode], port)


def make_bucket(server):
    """Make a new bucket and return its name."""
    name = f"bucket{next(NUMBERS)}"
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/{name}", method="PUT")).close()
    return name


def count_uploads(server, bucket):
    """Return how many uploads in parts were begun and neither completed nor taken back."""
    with urllib.request.urlopen(f"{server.url}/{bucket}?uploads") as answer:
        return answer.read().count(b"<Upload>")


def s3_options(server, **further):
    """Return the options of a store on a server of S3."""
    return {"endpoint": server.url, "region": "us-east-1", **KEYS, "retries": 1, **further}
