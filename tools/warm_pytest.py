"""Run pytest again and again without its start: each run is a fork of a process that has made the slow imports.

    warm_pytest.py serve SOCKET SECONDS MODULE...    import the modules once, then wait for runs
    warm_pytest.py run SOCKET ARGUMENT...            `pytest ARGUMENT...`, killed after SECONDS; its exit code

What is under test must not be among the modules, nor imported by them: a fork would not see that it has changed.
"""

from __future__ import annotations

import json
import signal
import socket
import sys


def serve(address: str, seconds: str, *modules: str) -> None:
    """Wait at a Unix socket, and run pytest in a fork for each line of arguments."""
    import importlib
    import socketserver

    import pytest

    for module in modules:
        importlib.import_module(module)

    class Run(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            signal.alarm(int(seconds))  # what ends this fork
            arguments = json.loads(self.rfile.readline())
            # pytest would like to rewrite the asserts of its plugins, which are imported already.
            code = pytest.main([*arguments, "-Wignore::pytest.PytestAssertRewriteWarning"])
            self.wfile.write(bytes([code]))

    class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
        pass

    with Server(address, Run) as server:
        server.serve_forever()


def run(address: str, *arguments: str) -> int:
    """Ask for a run; 1 where its process was killed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        connection.sendall(json.dumps(arguments).encode() + b"\n")
        return (connection.recv(1) or b"\1")[0]


if __name__ == "__main__":
    sys.exit({"serve": serve, "run": run}[sys.argv[1]](*sys.argv[2:]))
