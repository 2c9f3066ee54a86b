"""Children, ports and the lock: what keeps a local run from leaving anything behind or hiding why it failed."""

import json
import socket
import sys
import threading
from pathlib import Path

import pytest

from deploy.local.child_process import Child, base_environment
from deploy.local.errors import AlreadyRunning, ChildDied, NotInTime, PortTaken
from deploy.local.network_ports import LOOPBACK, free_port, require_free
from deploy.local.run_lock import clear_leftovers, only_one, record_children

WAITS = "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print('up', flush=True); signal.pause()"
DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"


def child(tmp_path: Path, script: str, grace_seconds: float = 10.0) -> Child:
    return Child(
        "example",
        [sys.executable, "-c", script],
        environment=base_environment(),
        log_path=tmp_path / "logs" / "example.log",
        cwd=tmp_path,
        grace_seconds=grace_seconds,
    )


def start(made: Child) -> Child:
    made.start()
    made.wait_until("up", lambda: "up" in made.log_path.read_text(), 10)
    return made


def test_a_child_stops_when_asked(tmp_path: Path) -> None:
    running = start(child(tmp_path, WAITS))
    running.stop()
    assert running.exit_code == 0


def test_a_child_that_does_not_listen_is_killed_after_its_grace(tmp_path: Path) -> None:
    running = start(child(tmp_path, DEAF, grace_seconds=0.2))
    running.stop()
    assert running.exit_code == -9


def test_a_child_that_dies_while_waited_for_says_why(tmp_path: Path) -> None:
    dying = child(tmp_path, "import sys; print('no such bucket'); sys.exit(3)")
    dying.start()
    with pytest.raises(ChildDied, match=r"(?s)example ended with 3.*no such bucket"):
        dying.wait_until("ready", lambda: False, 10)


def test_waiting_has_an_end(tmp_path: Path) -> None:
    running = start(child(tmp_path, WAITS))
    try:
        with pytest.raises(NotInTime, match="not ready within 0 s"):
            running.wait_until("ready", lambda: False, 0.1)
    finally:
        running.kill()


def test_a_child_gets_no_setting_it_was_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://developer@elsewhere/production")
    monkeypatch.setenv("AWS_PROFILE", "production")
    assert not {"DATABASE_URL", "AWS_PROFILE"} & set(child(tmp_path, WAITS).environment)


def test_taken_ports_are_all_named_with_what_moves_them() -> None:
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as two:
        ports = {"INGEST_PORT": one.getsockname()[1], "QUERY_PORT": free_port(), "EMULATOR_PORT": two.getsockname()[1]}
        with pytest.raises(PortTaken) as taken:
            require_free(ports)
    assert f"port {ports['INGEST_PORT']} is taken; free it, or set INGEST_PORT" in str(taken.value)
    assert f"port {ports['EMULATOR_PORT']} is taken" in str(taken.value)
    assert "QUERY_PORT" not in str(taken.value)


def test_two_parts_cannot_have_one_port() -> None:
    port = free_port()
    with pytest.raises(PortTaken, match="INGEST_PORT and QUERY_PORT are both"):
        require_free({"INGEST_PORT": port, "QUERY_PORT": port})


def test_a_second_run_in_the_tree_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(AlreadyRunning, match="process"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_what_a_killed_run_left_running_is_stopped_by_the_next(tmp_path: Path) -> None:
    left = start(child(tmp_path, WAITS))
    record_children(tmp_path, [left])
    # In a real run the parent is dead, and init collects the child; here this process has to.
    collector = threading.Thread(target=left.wait, args=(10,))
    collector.start()
    assert clear_leftovers(tmp_path) == ["example"]
    collector.join()
    assert left.exit_code == 0
    assert clear_leftovers(tmp_path) == []


def test_a_number_that_another_program_has_by_now_is_left_alone(tmp_path: Path) -> None:
    bystander = start(child(tmp_path, WAITS))
    record_children(tmp_path, [bystander])
    path = tmp_path / "children.json"
    [recorded] = json.loads(path.read_text())
    path.write_text(json.dumps([{**recorded, "started": "another time"}]))
    try:
        assert clear_leftovers(tmp_path) == []
        assert bystander.alive
    finally:
        bystander.kill()
