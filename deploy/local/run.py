"""`make run`: brings the whole product up on this machine, shows that it works, serves until told to stop."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import httpx
import pymysql
from botocore.exceptions import BotoCoreError
from pydantic import ValidationError

from deploy.local.child_process import Child
from deploy.local.errors import LocalStackError
from deploy.local.foundations import ROOT, STATE, Foundations, FoundationsPlan
from deploy.local.network_ports import require_free
from deploy.local.run_lock import clear_leftovers, only_one, record_children
from deploy.local.sample import QUESTION, SAMPLE_FEED, Sample
from deploy.local.settings import LocalSettings, load_dotenv
from deploy.local.stack import Stack, StackPlan
from deploy.local.terminal import Terminal

_WATCH_SECONDS = 0.5


def main() -> int:
    """Exit code: 0 when told to stop, 1 when something did not work."""
    load_dotenv(ROOT / ".env")
    try:
        settings = LocalSettings()
    except ValidationError as error:
        for fault in error.errors():
            print(f"{str(fault['loc'][0]).upper()}={fault['input']}: {fault['msg']}", file=sys.stderr)
        return 1
    for stop in (signal.SIGINT, signal.SIGTERM):
        # Explicitly, because a shell starts background jobs with SIGINT ignored.
        signal.signal(stop, _interrupt)
    try:
        with only_one(STATE):
            return _run(settings)
    except LocalStackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _run(settings: LocalSettings) -> int:
    terminal = Terminal()
    if leftovers := clear_leftovers(STATE):
        terminal.say("clean-up", f"stopped what an earlier run left behind: {', '.join(leftovers)}")
    require_free(settings.variables_of_ports())
    foundations = Foundations(
        FoundationsPlan(database_url=settings.database_url, emulator_port=settings.emulator_port), terminal
    )
    plan = StackPlan(ports=settings.service_ports(), database=settings.database_name, developer=os.environ)
    stack = Stack(foundations, plan, terminal)
    try:
        foundations.start()
        record_children(STATE, foundations.children())
        stack.start(on_started=lambda: record_children(STATE, [*foundations.children(), *stack.children()]))
        sample = Sample(stack.url("ingest"), stack.url("query"), terminal)
        if not settings.sample:
            terminal.say("sample", "not sent: SAMPLE=no")
        elif sample.store_is_empty():
            sample.submit_and_show()
        else:
            terminal.say("sample", "not sent: the store holds feeds already")
        _print_addresses(stack)
        _watch([*foundations.children(), *stack.children()])
    except KeyboardInterrupt:
        return 0
    except (LocalStackError, pymysql.MySQLError, httpx.HTTPError, BotoCoreError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        _stop(stack, foundations, terminal)


def _print_addresses(stack: Stack) -> None:
    ingest, query = stack.url("ingest"), stack.url("query")
    print("\nServing:")
    for child in stack.children():
        url = stack.url(child.name)
        print(f"  {child.name:<11} {url}   {url}/docs")
    print(f"  {'AWS':<11} {stack.aws.endpoint_url}   (emulated; uploads bucket {stack.plane.uploads_bucket})")
    print("\nTry:")
    print(f"  curl -F seller_id=acme -F file=@{SAMPLE_FEED.relative_to(ROOT)} {ingest}/api/transactions/upload")
    print(f"  curl -s {query}/api/transactions/summary")
    print(f"""  curl -s {query}/api/queries -H 'content-type: application/json' -d '{{"query": "{QUESTION}"}}'""")
    print("\nLogs are in .local/logs/. Ctrl-C stops everything; what is stored stays for the next run.", flush=True)


def _watch(children: Sequence[Child]) -> NoReturn:
    """Until a signal comes. Raises ChildDied when one of them ends by itself."""
    while True:
        for child in children:
            child.require_alive()
        time.sleep(_WATCH_SECONDS)


def _stop(stack: Stack, foundations: Foundations, terminal: Terminal) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, lambda *_: terminal.say("stopping", "already; every part has 30 s"))
    running = [child.name for child in (*stack.children(), *foundations.children()) if child.alive]
    if running:
        print()
        terminal.say("stopping", ", ".join(running))
    try:
        stack.stop()
    finally:
        foundations.stop()
        (STATE / "children.json").unlink(missing_ok=True)
    if running:
        terminal.say("stopped", "everything")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
