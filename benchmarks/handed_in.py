"""Sellers who hand in files through presigned URLs, made beforehand: a load that costs the machine little."""

import http.client
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from benchmarks.running_product import aws_client
from deploy.local.aws_access import AwsAccess


class HandedIn:
    """`put` may be called from several threads; each keeps a connection open."""

    def __init__(self, access: AwsAccess, bucket: str, keys: Sequence[str]) -> None:
        s3 = aws_client(access, "s3")
        self._urls = {
            key: s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}) for key in keys
        }
        self._own = threading.local()

    def put(self, key: str, content: bytes) -> None:
        parts = urlsplit(self._urls[key])
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.request("PUT", f"{parts.path}?{parts.query}", body=content)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
