"""Recorded messages by name: tests/samples/messages/<name>.json."""

import json
from pathlib import Path
from typing import Any

_MESSAGES = Path(__file__).parent / "messages"


def recorded_text(name: str) -> str:
    return (_MESSAGES / f"{name}.json").read_text(encoding="utf-8")


def recorded(name: str) -> Any:
    return json.loads(recorded_text(name))
