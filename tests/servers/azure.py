"""Azurite, the emulator of Azure Blob Storage: found, started, and a container made."""

import base64
import functools
import hashlib
import hmac
import os
import shutil
import subprocess
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.run import NUMBERS, Server, find_port, need_packages

ACCOUNT = "devstoreaccount1"
# Published with the emulator; every copy of it has this one.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
PLACE = Path(tempfile.gettempdir()) / "kist-azurite"
# Read here, as the tests run without such variables.
MAY_INSTALL = os.environ.get("KIST_TEST_INSTALL") == "1"
INSTALL_S = 300


def find_program():
    """Return Azurite; skip the test where there is none."""
    installed = PLACE / "node_modules" / ".bin" / "azurite-blob"
    found = shutil.which("azurite-blob") or (str(installed) if installed.exists() else None)
    npm = shutil.which("npm")
    if found is None and npm is not None and MAY_INSTALL:
        PLACE.mkdir(exist_ok=True)
        command = [npm, "install", "--silent", "--no-fund", "--no-audit", "azurite@3"]
        done = subprocess.run(
            command, cwd=PLACE, capture_output=True, timeout=INSTALL_S, check=False
        )
        found = str(installed) if done.returncode == 0 else None
    if found is None or shutil.which("node") is None:
        pytest.skip("needs node and azurite-blob; KIST_TEST_INSTALL=1 installs it for the tests")
    return found


@functools.cache
def run_azurite():
    """Return Azurite, started once."""
    need_packages("obstore")
    program, port = find_program(), find_port()
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    quiet = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
    return Server([program, *place, *quiet], port, cwd=tempfile.gettempdir())


def make_container(server):
    """Make a new container and return its name."""
    name = f"container{next(NUMBERS)}"
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + headers + resource
    signed = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
    request = urllib.request.Request(
        f"{server.url}/{ACCOUNT}/{name}?restype=container", method="PUT", data=b""
    )
    request.add_header("x-ms-date", date)
    request.add_header("x-ms-version", "2021-08-06")
    request.add_header("Content-Type", "")
    request.add_header("Authorization", f"SharedKey {ACCOUNT}:{base64.b64encode(signed).decode()}")
    urllib.request.urlopen(request).close()
    return name


def azure_options(server, **further):
    """Return the options of a store on Azurite."""
    endpoint = f"{server.url}/{ACCOUNT}"
    return {"endpoint": endpoint, "account": ACCOUNT, "account_key": KEY, "retries": 1, **further}
