"""What the project's web servers have in common: where they listen, and whom they answer. Needs no web framework."""

import hmac
import ipaddress
import re
import socket

from kuberacer.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_TOKEN = re.compile(r"[A-Za-z0-9_.~-]{8,200}")


def listening(host: str, port: int | None, usual: int) -> socket.socket:
    """A socket that listens. port None: `usual`, or a free one where that is taken."""
    for number in (port,) if port is not None else (usual, 0):
        # With its protocol's name: asyncio sets TCP_NODELAY on nothing else, and answers wait 40 ms without it.
        listener = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(128)
            return listener
        except OSError as error:
            listener.close()
            fault = error
    raise UserError(f"{host}:{port} cannot be listened at: {fault.strerror or fault}", "choose another PORT or HOST")


def address(host: str, port: int) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Whether who listens there is reached by its own machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_loopback(host: str) -> bool:
    """Whether a Host header names this machine's own loopback: no page elsewhere reaches a server by a name of its own
    then (DNS rebinding)."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() in LOOPBACK


def checked_token(token: str, name: str) -> str:
    """Raises UserError for what is no token; name: of the variable that has it."""
    if not _TOKEN.fullmatch(token):
        raise UserError(f"{name} is no token", "give 8 to 200 letters, digits, - or _")
    return token


def bearer(authorization: str) -> str:
    """The token of an Authorization header; '' where it has none."""
    scheme, _, word = authorization.partition(" ")
    return word.strip() if scheme.lower() == "bearer" else ""


def same(word: str, token: str) -> bool:
    """Compared in a time that says nothing of either."""
    return hmac.compare_digest(word.encode(), token.encode())
