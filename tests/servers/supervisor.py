"""Run a command until the input ends, which it does when whoever started this has died.

python supervisor.py COMMAND...
"""

import os
import signal
import subprocess
import sys
import threading


def main():
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def watch():
        sys.stdin.buffer.read()
        stop()

    def stop(*_):
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, kind)
                process.wait(timeout=2)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=watch, daemon=True).start()
    sys.exit(process.wait())


if __name__ == "__main__":
    main()
