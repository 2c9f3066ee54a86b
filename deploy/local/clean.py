"""`make clean`: removes what local runs stored. Refuses while one runs."""

import shutil
import sys

from deploy.local.errors import AlreadyRunning
from deploy.local.foundations import STATE
from deploy.local.run_lock import clear_leftovers, only_one


def main() -> int:
    if not STATE.exists():
        return 0
    try:
        with only_one(STATE):
            clear_leftovers(STATE)
            shutil.rmtree(STATE)
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
