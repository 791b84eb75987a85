"""Both servers answer at once: a connection to them does not wait for delayed acknowledgements."""

import socket
from collections.abc import Callable

import pytest

from cloud.web_server import listen as cloud_listen
from edge.web_server import listen as edge_listen


@pytest.mark.parametrize("listen", [cloud_listen, edge_listen], ids=["cloud", "edge"])
def test_accepted_connections_do_not_wait_for_delayed_acknowledgements(listen: Callable[[str, int], socket.socket]) -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
