"""The loop that every side runs: requests on stdin, answers on stdout, one JSON line each."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any


def serve(verbs: Mapping[str, Callable[..., Any]]) -> None:
    """Answer requests ``{"verb": ..., "arguments": {...}}`` until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What a library prints must not stand among the answers.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": verbs[request["verb"]](**request["arguments"])}
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
