"""moto's server, the second AWS that adapters of a single service are held to, beside the emulator; or each in turn."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from tests.conftest import EmulatedAws


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """An endpoint that holds nothing at first. Any credentials will do, but there must be some."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["moto", "emulator"])
def s3_url(request: pytest.FixtureRequest) -> str:
    """Resolved outside the event loop, because the emulator's data plane is deployed by one of its own."""
    if request.param == "moto":
        url: str = request.getfixturevalue("moto_url")
        return url
    emulator: EmulatedAws = request.getfixturevalue("emulator")
    return emulator.endpoint_url
