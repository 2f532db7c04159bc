"""Addresses that one can open: those of this machine's network interfaces where it listens on all of them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface, netdevice(7)
_INTERFACES_6 = Path("/proc/net/if_inet6")
_AVAHI = Path("/run/avahi-daemon/pid")  # answers for HOSTNAME.local
_ELSEWHERE = ("192.0.2.1", 9)  # of no machine (RFC 5737); nothing is sent there

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def urls(host: Address, port: int, scheme: str) -> list[str]:
    """Where a server that listens on an address is reached, from other machines first."""
    if not host.is_unspecified:
        return [_url(scheme, str(host), port)]
    found = list(dict.fromkeys([*_ipv4(), *(_ipv6() if host.version == 6 else ())]))
    names = [f"{socket.gethostname()}.local"] if _AVAHI.exists() else []
    inside = "127.0.0.1" if host.version == 4 else "::1"
    return [_url(scheme, one, port) for one in (*found, *names, inside)]


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _ipv4() -> Iterator[str]:
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            for _, name in socket.if_nameindex():
                with contextlib.suppress(OSError):  # it has none
                    told = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                    yield from _usable(socket.inet_ntoa(told[20:24]))
    except (ImportError, OSError, AttributeError):  # another system: the one that leads to others
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            asked.connect(_ELSEWHERE)
            yield from _usable(asked.getsockname()[0])


def _ipv6() -> Iterator[str]:
    with contextlib.suppress(OSError):
        for line in _INTERFACES_6.read_text(encoding="ascii").splitlines():
            yield from _usable(str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))))


def _usable(text: str) -> Iterator[str]:
    address = ipaddress.ip_address(text)
    if not (address.is_loopback or address.is_link_local or address.is_unspecified):
        yield text
