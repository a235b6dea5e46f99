"""Where the service cannot listen."""

import socket

import pytest

from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.server.server import listen


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SettingsError) as caught:
        port = other.getsockname()[1]
        listen(Settings.read(["Http:Host=127.0.0.1", f"Http:Port={port}"], {}))
    assert caught.value.message == f"port {port} is taken"
    assert caught.value.hint == "stop what uses it (`ss -ltnp`), or use Http:Port=5001"


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1 port 5000") as caught:
        listen(Settings.read(["Http:Host=192.0.2.1"], {}))
    assert "Http:Host must be an address of this machine" in caught.value.hint
