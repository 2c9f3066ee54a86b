"""Memory that does not grow with what is unpacked or transcoded."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import zstandard
from openpyxl import Workbook

ROOT = Path(__file__).parents[3]
PEAK = """
import sys
from pathlib import Path
from services.aggregator.adapters.prepared_text import prepare
from shared.schemas.feed_options import FeedOptions

def peak():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM"))

scratch, *feeds = map(Path, sys.argv[1:])
for path in feeds:
    prepared = prepare(path, scratch, FeedOptions(), 1 << 40, lambda _: None)
    with prepared.path.open("rb") as text:
        lines = sum(block.count(b"\\n") for block in iter(lambda: text.read(1 << 20), b""))
    print(prepared.format, lines, peak())
"""


def _objects(rows: int) -> Iterator[str]:
    padding = "x" * 120
    return (
        f'{{"order_id": "t{n}", "product_name": "Product, number {n} {padding}", "quantity": {n % 7}, "amount": 1.25}}'
        for n in range(rows)
    )


def _json_lines(path: Path, rows: int) -> None:
    with path.open("w") as out:
        out.writelines(f"{line}\n" for line in _objects(rows))


def _json_array(path: Path, rows: int) -> None:
    with path.open("w") as out:
        out.write("[")
        out.writelines(f"{line},\n" for line in _objects(rows - 1))
        out.write(next(_objects(1)) + "]")


def _gzip(path: Path, rows: int) -> None:
    with gzip.open(path, "wt", compresslevel=1) as out:
        out.write("order_id,product_name,quantity,amount\n")
        out.writelines(f't{n},"Product, number {n} {"x" * 120}",{n % 7},1.25\n' for n in range(rows))


def _zstd(path: Path, rows: int) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as out:
        for line in _objects(rows):
            out.write(f"{line}\n".encode())


def _parquet(path: Path, rows: int) -> None:
    with duckdb.connect() as engine:
        engine.execute(
            f"""COPY (SELECT 't' || n AS order_id, 'Product, number ' || n || repeat('x', 120) AS product_name,
                n % 7 AS quantity, 1.25 AS amount FROM range({rows}) t(n)) TO '{path}' (FORMAT parquet)"""  # noqa: S608 - ours
        )


def _xlsx(path: Path, rows: int) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["order_id", "product_name", "quantity", "amount"])
    for n in range(rows):
        sheet.append([f"t{n}", f"Product, number {n}", n % 7, 1.25])
    book.save(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize(
    ("write", "rows", "lines", "allowed"),
    [
        # 60 to 90 MB of text each, which as objects would be several times that; 30,000 rows in the workbook.
        # What is allowed, in MiB, are buffers of a fixed size.
        (_json_lines, 300_000, 300_001, 40),
        (_json_array, 300_000, 300_001, 40),
        (_gzip, 600_000, 600_001, 40),
        (_zstd, 300_000, 300_001, 60),
        (_parquet, 400_000, 400_001, 100),
        (_xlsx, 30_000, 30_001, 40),
    ],
)
def test_a_large_file_is_prepared_in_the_memory_of_a_small_one(
    tmp_path: Path, write: Callable[[Path, int], None], rows: int, lines: int, allowed: int
) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    write(small, 2_000)
    write(large, rows)
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "scratch"), str(small), str(large)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (_, few, before), (_, many, after) = (line.split() for line in run.stdout.splitlines())
    assert (int(few), int(many)) == (lines - rows + 2_000, lines)
    assert int(after) - int(before) < allowed * 1024, f"grew from {before} to {after} KiB"
