"""A port is one process's, or is shared on purpose; what only holds it gets no connections."""

import socket
from collections import Counter

import pytest

from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.server.listening import bind, listen


def settings(port: int = 0) -> Settings:
    return Settings.read(["Http:Host=127.0.0.1", f"Http:Port={port}"], {})


def test_a_port_that_is_taken_is_refused_with_the_way_out() -> None:
    with listen(settings()) as first:
        port = first.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} is taken") as caught:
            listen(settings(port))
        with pytest.raises(SettingsError, match="is taken"):
            bind(settings(port), shared=True)
    assert "Http:Port=5001" in caught.value.hint


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot listen on"):
        listen(Settings.read(["Http:Host=203.0.113.9", "Http:Port=0"], {}))


def test_a_shared_port_gives_connections_to_those_that_listen() -> None:
    with bind(settings(), shared=True) as one:
        port = one.getsockname()[1]
        with bind(settings(port), shared=True) as two, bind(settings(port), shared=True):
            for listening in (one, two):
                listening.listen(64)
                listening.setblocking(False)
            callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
            taken: Counter[int] = Counter()
            for number, listening in enumerate((one, two)):
                try:
                    while True:
                        listening.accept()[0].close()
                        taken[number] += 1
                except BlockingIOError:
                    pass
            for caller in callers:
                caller.close()
    assert taken.total() == 40, "none went to the socket that only holds the port"
    assert len(taken) == 2
