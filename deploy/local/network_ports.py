"""Ports on the loopback interface: which are taken, and one that is free."""

import socket
from collections.abc import Mapping

from deploy.local.errors import PortTaken

LOOPBACK = "127.0.0.1"


def is_taken(port: int) -> bool:
    """Whether binding the port would fail now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port that merely lingers in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def free_port() -> int:
    """A port nobody listens on. Another program may take it before it is used; callers then fail to start."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def require_free(ports: Mapping[str, int]) -> None:
    """Raise PortTaken, naming every taken port and the variable that moves it. `ports`: variable name -> port."""
    by_port: dict[int, str] = {}
    for variable, port in ports.items():
        if port in by_port:
            raise PortTaken(f"{by_port[port]} and {variable} are both {port}; give each its own port")
        by_port[port] = variable
    taken = [f"port {port} is taken; free it, or set {name}=<port>" for port, name in by_port.items() if is_taken(port)]
    if taken:
        raise PortTaken("\n".join(taken))
