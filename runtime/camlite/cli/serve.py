"""``camlite serve``: explain images over HTTP, and on a page."""

from __future__ import annotations

import argparse
import ipaddress
import os
from pathlib import Path

from camlite.cli import options
from camlite.errors import CamliteError
from camlite.show import say
from camlite.system import files

_TOKEN_VARIABLE = "CAMLITE_TOKEN"  # noqa: S105 - the name of the variable
_SHORTEST_TOKEN = 16
_MOST_TOKEN_BYTES = 1 << 16  # of its file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file of `camlite export`")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="an IP address (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8080, metavar="N", help="default: 8080; 0 takes a free one")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"holds the token of requests, as does ${_TOKEN_VARIABLE}; every address but this machine's needs one",
    )
    parser.add_argument(
        "--workers", type=options.threads, metavar="N", help="images explained at once (default: CPUs, at most 4)"
    )
    parser.add_argument("--max-body", type=options.positive, default=8 << 20, metavar="BYTES", help="default: 8388608")
    parser.add_argument(
        "--max-pixels", type=options.positive, default=16_000_000, metavar="N", help="default: 16000000"
    )
    parser.add_argument(
        "--timeout", type=options.seconds, default=10.0, metavar="S", help="for a request to arrive (default: 10)"
    )
    parser.add_argument(
        "--queue", type=options.positive, default=64, metavar="N", help="requests that wait; default: 64"
    )
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from camlite.serve import limits
    from camlite.serve.app import Application

    token = _token(arguments)
    if token is None and not _address(arguments.host).is_loopback:
        raise CamliteError(
            f"--host {arguments.host}: others could ask, too; expected --token-file FILE or ${_TOKEN_VARIABLE}"
        )
    workers = arguments.workers or min(4, os.cpu_count() or 1)
    explainers = [options.open_explainer(arguments, arguments.artifact) for _ in range(workers)]
    allowed = limits.Limits(arguments.max_body, arguments.max_pixels, arguments.timeout, arguments.queue)
    application = Application(explainers, allowed, token)
    server = limits.server(application, arguments.host, arguments.port, workers, allowed)
    host = f"[{server.effective_host}]" if ":" in server.effective_host else server.effective_host
    say.line(f"serving {arguments.artifact} on http://{host}:{server.effective_port}")
    server.run()
    say.notice("stopped")
    return 0


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 0xFFFF:
        raise ValueError
    return number


_port.__name__ = "port from 0 to 65535"  # argparse puts it into its message


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise CamliteError(f"--host {host}: expected an IP address of this machine, or 0.0.0.0 for all") from None


def _token(arguments: argparse.Namespace) -> str | None:
    where = f"${_TOKEN_VARIABLE}"
    token = os.environ.get(_TOKEN_VARIABLE)
    if arguments.token_file is not None:
        where = str(arguments.token_file)
        try:
            token = files.read(arguments.token_file, _MOST_TOKEN_BYTES).decode("ascii").strip()
        except (OSError, ValueError) as error:
            raise CamliteError(f"{where}: cannot read the token ({error}); expected a line of ASCII") from None
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii()):
        raise CamliteError(
            f"{where}: the token has {len(token)} characters, expected at least {_SHORTEST_TOKEN} of ASCII; "
            f"make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token
