"""``camlite serve``: explain images over HTTP, and on a page."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from camlite.artifact.signature import read_key_file
from camlite.cli import options
from camlite.errors import CamliteError
from camlite.images import cameras, picture_files
from camlite.serve import addresses, certificates
from camlite.serve.browser_files import BrowserFiles
from camlite.serve.limits import Limits
from camlite.serve.live import LiveView
from camlite.show import say
from camlite.system import large_blocks
from camlite.system.installing import how_to_install
from camlite.website import site

_TOKEN_VARIABLE = "CAMLITE_TOKEN"  # noqa: S105 - the name of the variable
_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 1000
_VIEWERS = 100
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO

EXAMPLES = (
    "camlite serve flowers/flowers.int8.tflite",
    "camlite serve flowers/flowers.int8.tflite --host 0.0.0.0 --token-file token.txt",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file that `camlite export` wrote")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="IP address to listen on (default: 127.0.0.1, this machine only)",
    )
    parser.add_argument(
        "--port", type=_port, default=8080, metavar="N", help="port to listen on (default: 8080); 0 takes a free one"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the token that requests must carry; needed if other machines can connect. Instead you can set "
        f"${_TOKEN_VARIABLE}",
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="serve over HTTPS with this certificate (PEM); needs --key"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="the private key of --certificate (PEM)")
    parser.add_argument(
        "--workers",
        type=options.threads,
        metavar="N",
        help="pictures explained at the same time (default: number of CPUs, at most 4)",
    )
    parser.add_argument(
        "--camera",
        metavar="SOURCE",
        help="show a camera (0, /dev/video0, picamera), a stream (rtsp://, http://) or a video file live on the page",
    )
    parser.add_argument(
        "--every",
        type=options.seconds,
        default=0.1,
        metavar="S",
        help="least seconds from one picture of the camera to the next (default: 0.1)",
    )
    parser.add_argument(
        "--max-viewers",
        type=options.positive,
        default=_VIEWERS,
        metavar="N",
        help=f"most viewers of the camera at the same time (default: {_VIEWERS})",
    )
    parser.add_argument(
        "--runtime",
        type=Path,
        metavar="DIR",
        help="let the page run the artifact in the browser with this library: node_modules/onnxruntime-web for .onnx, "
        "node_modules/@litertjs/core for .tflite",
    )
    usual = Limits()
    for name, type_, default, metavar, text in (
        ("--max-body", options.positive, usual.body, "BYTES", "most bytes of a request"),
        ("--max-pixels", options.positive, usual.pixels, "N", "most pixels of a picture"),
        ("--max-drawn", options.positive, usual.drawn, "N", "most pixels drawn for one request, all classes together"),
        ("--max-memory", options.positive, usual.memory, "BYTES", "most memory for all pictures in work together"),
        ("--timeout", options.seconds, usual.seconds, "S", "seconds for a request to arrive"),
        ("--max-seconds", options.seconds, usual.answer, "S", "seconds to answer a request that has arrived"),
        ("--queue", options.positive, usual.queue, "N", "most requests that wait"),
    ):
        parser.add_argument(
            name, type=type_, default=default, metavar=metavar, help=f"{text} (default: {default:,.10g})"
        )
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from camlite.serve.application import Application

    try:
        from camlite.serve import http_server
    except ModuleNotFoundError as error:
        if error.name != "tornado":
            raise
        raise CamliteError(f"`camlite serve` needs tornado: {how_to_install('serve')}") from None
    token = _token(arguments)
    host = _address(arguments.host)
    if token is None and not host.is_loopback:
        raise CamliteError(
            f"--host {arguments.host}: other machines could connect; protect it with --token-file FILE or "
            f"${_TOKEN_VARIABLE}"
        )
    if arguments.camera is not None:
        _check_camera(arguments.camera)
    secured = certificates.context(arguments.certificate, arguments.key)
    certificate = None if secured is None else certificates.seen(arguments.certificate, secured)
    if certificate is not None and certificate.trouble:
        say.notice(certificate.trouble)
    large_blocks.return_when_freed()
    workers = arguments.workers or min(4, os.cpu_count() or 1)
    checked, *explainers = (options.open_explainer(arguments, arguments.artifact) for _ in range(workers + 1))
    allowed = Limits(
        body=arguments.max_body,
        pixels=arguments.max_pixels,
        drawn=arguments.max_drawn,
        memory=arguments.max_memory,
        seconds=arguments.timeout,
        answer=arguments.max_seconds,
        queue=arguments.queue,
        viewers=arguments.max_viewers if arguments.camera else 0,
    )
    view, browser = _live_view(arguments), _browser_files(arguments)

    def listening(_address: str, port: int) -> None:
        _say_where(arguments, addresses.urls(host, port, "http" if secured is None else "https"), token, certificate)

    application = Application(explainers, checked, allowed, token, view, browser)
    http_server.serve(application, str(host), arguments.port, listening, secured)
    say.notice("stopped")
    return 0


def _say_where(
    arguments: argparse.Namespace, urls: Sequence[str], token: str | None, certificate: certificates.Seen | None
) -> None:
    """The addresses, and a line for the terminal that explains one of the artifact's own samples."""
    say.line(f"serving {arguments.artifact} on {urls[0]}", *(f"also on {url}" for url in urls[1:]))
    curl, url = "curl -sS", urls[0]
    if certificate is not None:
        scheme, _, place = url.partition("://")
        address, _, port = place.rpartition(":")
        name = certificate.name_for(address.strip("[]"))
        if name and token is None:  # the application answers only to names of this machine
            curl += " --insecure"
        else:
            curl += f" --cacert {shlex.quote(str(arguments.certificate))}"
        if name and token is not None:
            url = f"{scheme}://{name}:{port}"
            say.line(f"the certificate is for {name}: where this name leads here, open {url}")
            curl += " --resolve " + shlex.quote(f"{name}:{port}:{address}")
    if token is not None:
        stored = arguments.token_file
        told = f"$(cat {shlex.quote(str(stored))})" if stored is not None else f"${_TOKEN_VARIABLE}"
        curl += f' -H "Authorization: Bearer {told}"'
    sample, explain = (shlex.quote(f"{url}/{path}") for path in ("sample.png", "explain"))  # zsh obeys [::1]
    say.line(f"try it: {curl} {sample} | {curl} --data-binary @- -H 'Content-Type: image/png' {explain}")


def _check_camera(source: str) -> None:
    if not cameras.is_camera(source) and not Path(source).is_file():
        raise CamliteError(
            f"--camera {source}: no such camera; expected 0, /dev/video0, picamera, "
            f"a URL such as rtsp://..., "
            f"or a video file"
        )
    if Path(source).suffix.lower() in picture_files.SUFFIXES and "://" not in source:
        raise CamliteError(f"--camera {source}: is a picture, expected a camera, a stream or a video file")
    cameras.check(source)


def _live_view(arguments: argparse.Namespace) -> LiveView | None:
    if arguments.camera is None:
        return None
    explainer = options.open_explainer(arguments, arguments.artifact)
    return LiveView(arguments.camera, explainer, arguments.every, arguments.max_viewers, arguments.max_pixels)


def _browser_files(arguments: argparse.Namespace) -> BrowserFiles | None:
    if arguments.runtime is None:
        return None
    return BrowserFiles(*site.beside_server(arguments.artifact, arguments.runtime, arguments.trusted))


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
    token = token and token.strip()
    if arguments.token_file is not None:
        where = str(arguments.token_file)
        content = read_key_file(
            arguments.token_file, _OF_OTHERS, "which others can use: make a new one, or chmod 600", "token"
        )
        token = content.decode("ascii", "replace").strip()
    if token is not None:
        _check_token(token, where)
    return token


def _check_token(token: str, where: str) -> None:
    """See that clients can send it in a header: one of others would lock everybody out."""
    remedy = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
    most = f"expected {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} of ASCII"
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN:
        raise CamliteError(f"{where}: the token has {len(token)} characters, {most}; {remedy}")
    if re.fullmatch(r"[\x20-\x7e]+", token) is None:
        raise CamliteError(f"{where}: the token has a line break or another character that no header holds; {remedy}")
