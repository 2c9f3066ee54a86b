"""docker-compose.yml: it fits the template and the services, and the product really comes up from it.

The first tests need no Docker engine. The last one builds the images and takes minutes, so it runs only where
SELLERSYNC_COMPOSE_TESTS=1 asks for it.
"""

import csv
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from deploy.local.aws_access import AwsAccess
from deploy.local.database_server import DatabaseAccess, DatabaseUrl
from deploy.local.network_ports import free_port
from deploy.local.sample import SAMPLE_FEED
from deploy.local.service_environments import SERVICES, service_settings
from tests.conftest import EmulatedAws
from tests.e2e.product import eventually

ROOT = Path(__file__).parents[2]
ENTRANCE_SECONDS = 60.0
FEED_SECONDS = 60.0
# uvicorn may end itself with the signal again once it has stopped cleanly.
CLEAN_EXITS = {0, 143}


@pytest.fixture(scope="module")
def compose_file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


class TestFile:
    def test_names_what_the_template_makes(self, compose_file: dict[str, Any], emulator: EmulatedAws) -> None:
        """The names are written out, so that services can start without asking CloudFormation for them."""
        stage = emulator.plane.processing_log_table.removeprefix("sellersync-").removesuffix("-processing-log")
        made = {_without_host(value).replace(stage, "compose") for value in asdict(emulator.plane).values()}
        assert {_without_host(name) for name in compose_file["x-names"].values()} <= made
        for service in SERVICES:
            theirs = self._settings_of(service, emulator)
            ours = compose_file["services"][service]["environment"]
            for name in theirs.keys() & ours.keys():
                if name.endswith(("_BUCKET", "_TABLE", "_TOPIC_ARN", "_QUEUE_URL", "_DLQ_URL")):
                    expected = _without_host(theirs[name]).replace(stage, "compose")
                    assert _without_host(ours[name]) == expected, f"{service}: {name}"

    @pytest.mark.parametrize("service", SERVICES)
    def test_gives_each_service_the_settings_of_a_local_run(
        self, compose_file: dict[str, Any], emulator: EmulatedAws, service: str
    ) -> None:
        in_the_image = {"HOST", "PORT", "LOG_FORMAT"}
        has_a_default = {"VISIBILITY_SECONDS", "LEASE_SECONDS"}
        needed = self._settings_of(service, emulator).keys() - in_the_image - has_a_default
        assert needed <= compose_file["services"][service]["environment"].keys()

    def test_only_the_aggregator_may_write_to_the_database(self, compose_file: dict[str, Any]) -> None:
        urls = {
            service: compose_file["services"][service]["environment"].get("DATABASE_URL", "") for service in SERVICES
        }
        assert {service: DatabaseUrl.parse(url).user for service, url in urls.items() if url} == {
            "aggregator": "sellersync_rw",
            "query": "sellersync_ro",
        }

    def test_is_reachable_from_this_machine_only(self, compose_file: dict[str, Any]) -> None:
        ports = [port for service in compose_file["services"].values() for port in service.get("ports", [])]
        assert ports
        assert all(port.startswith("127.0.0.1:") for port in ports)

    @pytest.mark.parametrize("service", ["bootstrap", "emulator", *SERVICES, "entrance"])
    def test_confines_what_is_ours(self, compose_file: dict[str, Any], service: str) -> None:
        settings = compose_file["services"][service]
        assert settings["read_only"]
        assert settings["cap_drop"] == ["ALL"]
        assert settings["security_opt"] == ["no-new-privileges:true"]
        assert settings["mem_limit"]

    def test_is_valid(self) -> None:
        if _without_compose():
            pytest.skip("docker compose is not installed")
        Compose("sellersync-config", entrance_port=8000).run("config", "--quiet")

    @staticmethod
    def _settings_of(service: str, emulator: EmulatedAws) -> dict[str, str]:
        url = DatabaseUrl("u", "p", "h", 3306, "d")
        return service_settings(
            service,
            port=8000,
            aws=AwsAccess(emulator.endpoint_url),
            plane=emulator.plane,
            database=DatabaseAccess(url, url),
            work=Path("/tmp"),  # noqa: S108 - only its being named matters here
        )


def _without_host(name: str) -> str:
    """Queues are named by addresses, whose hosts rightly differ."""
    return httpx.URL(name).path if name.startswith("http") else name


def _without_compose() -> bool:
    if not shutil.which("docker"):
        return True
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0


class Compose:
    """`docker compose` for one project, without what a developer's .env or environment may set for theirs."""

    def __init__(self, project: str, entrance_port: int) -> None:
        self.project = project
        self.url = f"http://127.0.0.1:{entrance_port}"
        kept = {name: value for name, value in os.environ.items() if name.startswith(("DOCKER_", "BUILDX_"))}
        kept |= {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._environment = kept | {"ENTRANCE_PORT": str(entrance_port), "LOG_LEVEL": "DEBUG"}

    def run(self, *arguments: str, timeout: float = 120.0) -> str:
        """stdout. Fails the test with all that was printed."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.project, "--env-file", os.devnull, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"docker compose {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def up(self) -> None:
        self.run("up", "--detach", "--build", timeout=600.0)
        # Compose counts the entrance, which has no health check, as up a moment before it listens.
        self._wait_for_the_entrance()

    def exit_codes(self) -> dict[str, int]:
        lines = self.run("ps", "--all", "--format", "json").splitlines()
        return {container["Service"]: container["ExitCode"] for container in map(json.loads, lines)}

    def _wait_for_the_entrance(self) -> None:
        deadline = time.monotonic() + ENTRANCE_SECONDS
        while True:
            try:
                answers = [httpx.get(f"{self.url}/health/{service}/ready", timeout=5.0) for service in SERVICES]
                if all(answer.status_code == httpx.codes.OK for answer in answers):
                    return
                told = "; ".join(answer.text for answer in answers)
            except httpx.TransportError as error:
                told = repr(error)
            if time.monotonic() > deadline:
                pytest.fail(f"not ready: {told}\n{self.run('logs', '--tail', '30')}")
            time.sleep(0.2)


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    if os.environ.get("SELLERSYNC_COMPOSE_TESTS") != "1":
        pytest.skip("builds images and takes minutes: set SELLERSYNC_COMPOSE_TESTS=1 to run it")
    if _without_compose():
        pytest.skip("docker compose is not installed")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker engine answers")
    made = Compose(f"sellersync-test-{secrets.token_hex(3)}", free_port())
    try:
        made.up()
        yield made
    finally:
        made.run("down", "--volumes", "--remove-orphans", timeout=300.0)


class Totals(NamedTuple):
    """What the feed adds up to for one product."""

    quantity: int
    revenue: Decimal
    transactions: int


def expected_totals(feed: Path) -> dict[str, Totals]:
    """Added up in the plainest way, to compare with; the file has no rows to reject."""
    totals: dict[str, Totals] = {}
    with feed.open(newline="") as file:
        for product, quantity, _, revenue in csv.reader(file):
            so_far = totals.get(product, Totals(0, Decimal(0), 0))
            totals[product] = Totals(
                so_far.quantity + int(quantity), so_far.revenue + Decimal(revenue), so_far.transactions + 1
            )
    return totals


@pytest.mark.compose
@pytest.mark.timeout(1200)
class TestUp:
    """In order: each test goes on from where the one before left the stack."""

    def test_a_feed_goes_in_at_the_entrance_and_comes_out_as_exact_totals(self, compose: Compose) -> None:
        with httpx.Client(base_url=compose.url, timeout=30.0) as http:
            feed = self._submit(http)
            assert feed["processing_status"] == "DONE"
            assert feed["counts"]["rows_accepted"] == feed["counts"]["rows_received"] > 0
            self._assert_totals(http)
            assert {item["feed_id"] for item in self._get(http, "/api/transactions")["items"]} == {feed["feed_id"]}
            assert feed["feed_id"] in {item["feed_id"] for item in self._get(http, "/api/feeds")["items"]}
            answer = http.post("/api/queries", json={"query": "Which product had the highest revenue?"})
            assert answer.status_code == httpx.codes.OK, answer.text
            assert answer.json()["results"]

    def test_a_feed_that_cannot_be_read_is_told_as_an_error(self, compose: Compose) -> None:
        with httpx.Client(base_url=compose.url, timeout=30.0) as http:
            feed = self._submit(http, name="broken.csv", content=b"one column\nonly\n")
            assert feed["processing_status"] == "FATAL"
            errors = eventually(lambda: self._get(http, "/api/errors")["items"], "the failure is logged", FEED_SECONDS)
            assert {error["feed_id"] for error in errors} == {feed["feed_id"]}

    def test_a_feed_is_handed_back_and_withdrawn_at_the_entrance(self, compose: Compose) -> None:
        with httpx.Client(base_url=compose.url, timeout=30.0) as http:
            feed = self._submit(http, name="mistake.csv", content=b"mistake,1,2,2\nmistake,x,2,2\n")
            place = f"/api/feeds/{feed['feed_id']}"
            assert self._get(http, f"{place}/report")["summary"]["counts"]["rows_rejected"] == 1
            assert "mistake,x,2,2" in http.get(f"{place}/rejected").text
            withdrawn = http.delete(place)
            assert withdrawn.status_code == httpx.codes.OK, withdrawn.text
            assert self._get(http, f"{place}/history")["items"][-1]["event"] == "withdrawn"
            self._assert_totals(http)

    def test_the_entrance_documents_itself_and_refuses_other_paths(self, compose: Compose) -> None:
        with httpx.Client(base_url=compose.url, timeout=30.0) as http:
            assert "swagger-ui" in http.get("/docs").text
            assert "/api/transactions/upload" in self._get(http, "/openapi/ingest.json")["paths"]
            assert "/api/transactions/summary" in self._get(http, "/openapi/query.json")["paths"]
            assert "/api/feeds/{feed_id}/reprocess" in self._get(http, "/openapi/aggregator.json")["paths"]
            unknown = http.get("/metrics")
            assert unknown.status_code == httpx.codes.NOT_FOUND
            assert unknown.headers["content-type"] == "application/problem+json"

    def test_stops_cleanly_and_keeps_what_it_knew(self, compose: Compose) -> None:
        started = time.monotonic()
        compose.run("stop", timeout=180.0)
        assert time.monotonic() - started < 60
        unclean = {service: code for service, code in compose.exit_codes().items() if code not in CLEAN_EXITS}
        assert not unclean
        compose.up()
        with httpx.Client(base_url=compose.url, timeout=30.0) as http:
            self._assert_totals(http)
            again = self._submit(http)
            assert again["processing_status"] == "DONE"
            assert again["counts"]["rows_duplicate"] == again["counts"]["rows_received"] > 0
            self._assert_totals(http)

    @staticmethod
    def _get(http: httpx.Client, path: str) -> dict[str, Any]:
        answer = http.get(path)
        assert answer.status_code == httpx.codes.OK, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def _submit(self, http: httpx.Client, name: str | None = None, content: bytes | None = None) -> dict[str, Any]:
        """The feed once it has ended, however it did."""
        file = (name or SAMPLE_FEED.name, content or SAMPLE_FEED.read_bytes(), "text/csv")
        accepted = http.post("/api/transactions/upload", files={"file": file})
        assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text

        def ended() -> dict[str, Any] | None:
            feed = self._get(http, accepted.json()["status_url"])
            return None if feed["processing_status"] in ("IN_QUEUE", "IN_PROGRESS") else feed

        return eventually(ended, "the feed ends", FEED_SECONDS)

    def _assert_totals(self, http: httpx.Client) -> None:
        items = self._get(http, "/api/transactions/summary")["items"]
        assert {
            item["product_name"]: Totals(item["total_quantity"], Decimal(item["total_revenue"]), item["transactions"])
            for item in items
        } == expected_totals(SAMPLE_FEED)
