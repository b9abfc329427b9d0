"""Starts command lines as processes of their own without importing torch for each: it has, and forks.

Reads one request a line from standard input and answers with one line: {"words", "env", "folder", "out", "err"} gives
the process's id, {"wait": id} its exit status (negative for a signal), null while it runs.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

LOADED = (
    "convworks.api",
    "convworks.cli.train",
    "convworks.report.html",
    "convworks.report.terminal",
    "torchvision",
)


def born(request: dict[str, object]) -> int:
    """A child that runs one command line as `python -m convworks` does."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.environ.update(request["env"])  # type: ignore[call-overload]
        os.chdir(str(request["folder"]))
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(str(request[name]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        from convworks.cli.main import main

        code = main([str(word) for word in request["words"]])  # type: ignore[attr-defined]
        sys.stdout.flush()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


def status(child: int) -> int | None:
    """How a child ended; None while it runs."""
    done, value = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(value) if done else None


def serve() -> None:
    """Answers requests until nobody asks any more."""
    for module in LOADED:
        import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        answer = status(request["wait"]) if "wait" in request else born(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
