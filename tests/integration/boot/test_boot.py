"""Each service starts from what its image holds: its own extra, its own folder, and shared. Nothing else is needed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.emulator import find_uv
from deploy.local.foundations import ROOT, STATE
from deploy.local.service_environments import SERVICES

LIBRARIES = {
    "ingest": {"python_multipart"},
    "aggregator": {"aiomysql", "alembic", "duckdb", "sqlalchemy"},
    "query": {"aiomysql", "sqlalchemy", "databases", "langchain", "langchain_openai"},
    "notifier": set[str](),
}
"""What each extra brings, by import name."""

PROBE = """
import importlib.util, sys
from services.{service}.main import create_app
assert callable(create_app)
absent = {absent!r}
present = [name for name in absent if importlib.util.find_spec(name)]
assert not present, f"other services' libraries are there: {{present}}"
"""


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.timeout(300)
def test_service_imports_with_only_its_own_extra(service: str, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        "UV_PROJECT_ENVIRONMENT": str(STATE / "boot" / service),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    synced = subprocess.run(
        [find_uv(), "sync", "--frozen", "--quiet", "--no-dev", "--extra", service],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert synced.returncode == 0, synced.stderr
    tree = _tree_of_image(service, tmp_path)
    absent = sorted(set().union(*LIBRARIES.values()) - LIBRARIES[service])

    imported = subprocess.run(
        [STATE / "boot" / service / "bin" / "python", "-c", PROBE.format(service=service, absent=absent)],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert imported.returncode == 0, imported.stderr


def _tree_of_image(service: str, directory: Path) -> Path:
    """What the image holds, copied aside, so that no other service's code can be found."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "shared", directory / "shared", ignore=ignored)
    shutil.copytree(ROOT / "services" / service, directory / "services" / service, ignore=ignored)
    shutil.copy(ROOT / "services" / "__init__.py", directory / "services")
    return directory
