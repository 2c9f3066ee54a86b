"""The script that anyone would write first: boto3 and PyMySQL, one file after the other, nothing promised.

download → sum in Python → insert its rows, add its sums to the totals → commit → log to DynamoDB → notify.
It neither checks a row nor counts a file once; if it dies between two lines, its books do not close.
"""

import json
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pymysql.cursors import Cursor

from benchmarks.running_product import aws_client, connect
from deploy.local.aws_access import AwsAccess
from deploy.local.database_server import DatabaseUrl

Row = tuple[str, int, Decimal, Decimal]

_TABLES = (
    """CREATE TABLE files (file_id INT AUTO_INCREMENT PRIMARY KEY, seller_id VARCHAR(64) NOT NULL,
       object_key VARCHAR(255) NOT NULL, row_count INT NOT NULL, done_at DATETIME(6) NOT NULL)""",
    """CREATE TABLE file_rows (file_id INT NOT NULL, line INT NOT NULL, product_name VARCHAR(255) NOT NULL,
       quantity BIGINT NOT NULL, amount DECIMAL(38,4) NOT NULL, revenue DECIMAL(38,4) NOT NULL,
       PRIMARY KEY (file_id, line))""",
    """CREATE TABLE sums (seller_id VARCHAR(64) NOT NULL, product_name VARCHAR(255) NOT NULL, quantity BIGINT NOT NULL,
       amount DECIMAL(38,4) NOT NULL, revenue DECIMAL(38,4) NOT NULL, transactions BIGINT NOT NULL,
       PRIMARY KEY (seller_id, product_name))""",
)
_ADD = """INSERT INTO sums VALUES (%s, %s, %s, %s, %s, %s)
          ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity),
          amount = amount + VALUES(amount), revenue = revenue + VALUES(revenue),
          transactions = transactions + VALUES(transactions)"""


class OneByOne:
    """Clients and connection are opened once, as a careful author would, and there is one commit per file.

    `in_batches`: inserts through `executemany`, which PyMySQL turns into few statements; else one row at a time.
    """

    def __init__(self, access: AwsAccess, database: DatabaseUrl, *, in_batches: bool) -> None:
        self.s3, self._sns, self._dynamodb = (aws_client(access, name) for name in ("s3", "sns", "dynamodb"))
        self._database = connect(database)
        with self._database.cursor() as cursor:
            for table in _TABLES:
                cursor.execute(table)
        self._in_batches = in_batches
        self._bucket = "one-by-one-batches" if in_batches else "one-by-one"
        self.s3.create_bucket(Bucket=self._bucket)
        self._topic = self._sns.create_topic(Name=self._bucket)["TopicArn"]
        self._dynamodb.create_table(
            TableName=self._bucket,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "file", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "file", "KeyType": "HASH"}],
        )

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def process(self, keys: Sequence[str]) -> float:
        """Seconds it took."""
        started = time.perf_counter()
        for key in keys:
            self._process(key)
        return time.perf_counter() - started

    def totals(self) -> tuple[Any, ...]:
        """Quantity, revenue, transactions."""
        with self._database.cursor() as cursor:
            cursor.execute("SELECT SUM(quantity), SUM(revenue), SUM(transactions) FROM sums")
            return tuple(cursor.fetchone() or ())

    def close(self) -> None:
        self._database.close()

    def _insert(self, cursor: Cursor, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if self._in_batches:
            cursor.executemany(sql, rows)
            return
        for row in rows:
            cursor.execute(sql, row)

    def _process(self, key: str) -> None:
        seller = key.partition("/")[0]
        text = self.s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
        rows, sums = split_and_sum(text)
        with self._database.cursor() as cursor:
            cursor.execute("INSERT INTO files VALUES (NULL, %s, %s, %s, UTC_TIMESTAMP(6))", (seller, key, len(rows)))
            self._insert(
                cursor,
                "INSERT INTO file_rows VALUES (%s, %s, %s, %s, %s, %s)",
                [(cursor.lastrowid, line, *row) for line, row in enumerate(rows, 1)],
            )
            self._insert(cursor, _ADD, [(seller, name, *values) for name, values in sums.items()])
        self._database.commit()
        outcome = {"file": key, "seller": seller, "rows": len(rows)}
        self._dynamodb.put_item(
            TableName=self._bucket, Item={name: {"S": str(value)} for name, value in outcome.items()}
        )
        self._sns.publish(TopicArn=self._topic, Subject="File processed", Message=json.dumps(outcome))


def split_and_sum(text: str) -> tuple[list[Row], dict[str, list[Any]]]:
    """The rows, and per product [quantity, amount, revenue, transactions]. In Decimal: floats would lose cents."""
    rows: list[Row] = []
    sums: dict[str, list[Any]] = {}
    for line in text.splitlines():
        name, *numbers = line.split(",")
        row = (name, int(numbers[0]), Decimal(numbers[1]), Decimal(numbers[2]))
        rows.append(row)
        one = sums.setdefault(name, [0, Decimal(0), Decimal(0), 0])
        one[0] += row[1]
        one[1] += row[2]
        one[2] += row[3]
        one[3] += 1
    return rows, sums
