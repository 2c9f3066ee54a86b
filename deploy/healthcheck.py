"""Health check of the images: exit code 0 if the service in this container answers 200 at the path given.

`python -S healthcheck.py /health/ready`: the standard library alone, and no site packages, to start fast.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException


def main(path: str) -> int:
    """0 if healthy, else 1 with the reason on stdout, where `docker inspect` keeps it."""
    connection = HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=4)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        answer = response.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"{path}: {error!r}\n")
        return 1
    sys.stdout.write(f"{path}: {response.status} {answer}\n")
    return 0 if response.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
