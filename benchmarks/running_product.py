"""The product for a benchmark: a private MariaDB, the emulator, the four services, as many aggregators as asked for."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pymysql
from botocore.config import Config

from deploy.local.aws_access import AwsAccess
from deploy.local.child_process import Child
from deploy.local.database_server import DatabaseUrl
from deploy.local.foundations import ROOT, STATE, Foundations, FoundationsPlan
from deploy.local.network_ports import LOOPBACK, free_port
from deploy.local.stack import Stack, StackPlan
from deploy.local.terminal import Silence

AGGREGATOR = "services.aggregator"
LOGS_KEPT = STATE / "benchmark-logs"
"""Of the last run."""
_POLL_SECONDS = 2


@contextmanager
def running_foundations() -> Iterator[Foundations]:
    """Database and emulator with state of their own, which is removed at the end. DATABASE_URL names another server."""
    state = Path(tempfile.mkdtemp(prefix="sellersync-bench-"))
    made = Foundations(FoundationsPlan(state=state, database_url=os.environ.get("DATABASE_URL") or None), Silence())
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(LOGS_KEPT, ignore_errors=True)
        shutil.copytree(made.plan.logs, LOGS_KEPT)
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def running_product(
    foundations: Foundations,
    name: str,
    aggregators: int = 1,
    overrides: Mapping[str, Mapping[str, str]] | None = None,
    module: str = AGGREGATOR,
) -> Iterator["RunningProduct"]:
    """Its own data plane and database, named by `name`. `module`: what runs as an aggregator."""
    database = f"sellersync_{name}"
    given = dict(overrides or {})
    given["aggregator"] = {"POLL_SECONDS": str(_POLL_SECONDS), **given.get("aggregator", {})}
    stack = Stack(foundations, StackPlan(name=name, database=database, overrides=given), Silence())
    product: RunningProduct | None = None
    try:
        stack.start()
        product = RunningProduct(foundations, stack, aggregators, module)
        yield product
    finally:
        if product:
            product.stop()
        stack.stop()
        if foundations.database.may_administer:
            foundations.database.server.drop(database)


class RunningProduct:
    """A started stack, and aggregators beside its own one, or in its place."""

    def __init__(self, foundations: Foundations, stack: Stack, aggregators: int, module: str) -> None:
        self._foundations = foundations
        # One client for all looks: making one costs more than a hundred of them.
        self._http = httpx.Client(timeout=10.0)
        self.stack = stack
        first = 2 if module == AGGREGATOR else 1
        if first == 1:
            stack.stop_service("aggregator")
            # The emulator still answers the poll that was cut off, and would hand messages to nobody.
            time.sleep(_POLL_SECONDS + 1)
        self._more = [self._start_another(module, number) for number in range(first, aggregators + 1)]

    def processes(self) -> dict[str, int]:
        """Name → pid of everything that works on a feed."""
        children = [*self._foundations.children(), *self.stack.children(), *self._more]
        working = [child for child in children if child.alive and child.name not in ("ingest", "query")]
        return {child.name: child.pid for child in working if child.pid}

    def stop(self) -> None:
        self._http.close()
        for child in self._more:
            child.stop()

    def announced(self) -> int:
        """How many events the notifier has announced since it started."""
        metrics = self._http.get(f"{self.stack.url('notifier')}/metrics").text
        counted = [line for line in metrics.splitlines() if line.startswith("sellersync_outcomes_announced_total{")]
        return sum(int(float(line.split()[-1])) for line in counted if 'result="announced"' in line)

    def _start_another(self, module: str, number: int) -> Child:
        port = free_port()
        child = Child(
            f"aggregator-{number}",
            [sys.executable, "-m", module],
            environment=self.stack.child("aggregator").environment | {"PORT": str(port)},
            log_path=self._foundations.plan.logs / f"aggregator-{number}.log",
            cwd=ROOT,
        )
        child.start()
        child.wait_until("ready", lambda: _is_ready(f"http://{LOOPBACK}:{port}/health/ready"), 60)
        return child


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def aws_client(access: AwsAccess, service: str, connections: int = 10) -> Any:
    """A boto3 client of the emulator."""
    return boto3.client(
        service,
        endpoint_url=access.endpoint_url,
        region_name=access.region,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        config=Config(max_pool_connections=connections, s3={"addressing_style": "path"}),
    )


def connect(url: DatabaseUrl, *, local_infile: bool = False) -> "pymysql.connections.Connection[Any]":
    """`local_infile`: for LOAD DATA, which the server has to allow too."""
    return pymysql.connect(
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password,
        database=url.database or None,
        local_infile=local_infile,
    )
