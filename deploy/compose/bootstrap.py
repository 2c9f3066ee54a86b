"""`python -m deploy.compose.bootstrap`: makes what the compose stack's services find when they start.

Runs to its end before them at every `docker compose up`, and changes nothing where all is there already: the data
plane in the emulator, the database with its two users, the schema.
"""

import os
import subprocess
import sys

from deploy.local.aws_access import AwsAccess
from deploy.local.data_plane import deploy_data_plane_now
from deploy.local.database_server import DatabaseServer, DatabaseUrl
from deploy.local.errors import DatabaseRefused, LocalStackError
from deploy.local.terminal import Progress, Terminal

_DATABASE_SECONDS = 60.0
_MIGRATE_SECONDS = 300.0


def deploy_data_plane(stage: str, aws: AwsAccess, progress: Progress) -> None:
    """Raises DeployFailed."""
    deploy_data_plane_now(aws, stage)
    progress.say("data plane", f"deployed as sellersync-{stage}")


def provision_database(admin: DatabaseUrl, read_write: DatabaseUrl, read_only: DatabaseUrl, progress: Progress) -> None:
    """Give the two users the passwords that the services were told. Raises DatabaseRefused."""
    server = DatabaseServer(admin)
    server.require_answering(_DATABASE_SECONDS)
    made = server.provision(read_write.database, (read_write.password, read_only.password))
    # The names follow from the database's; an address with another one would be refused much later, and obscurely.
    for told, is_so in ((read_write, made.read_write), (read_only, made.read_only)):
        if (told.user, told.database) != (is_so.user, is_so.database):
            raise DatabaseRefused(f"{told.without_password} must be {is_so.without_password}")
    progress.say("database", f"{read_write.database} is there, with {read_write.user} and {read_only.user}")


def migrate(database_url: str, progress: Progress) -> None:
    """Raises LocalStackError; what went wrong is in the log above it."""
    command = [sys.executable, "-m", "services.aggregator.migrate"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    done = subprocess.run(command, env=environment, timeout=_MIGRATE_SECONDS, check=False)  # noqa: S603 - a fixed command
    if done.returncode != 0:
        raise LocalStackError(f"the migration ended with {done.returncode}")
    progress.say("database", "migrated")


def main() -> None:
    """Reads the environment that docker-compose.yml gives. If a step fails, ends with 1, and no service starts."""
    progress = Terminal()
    env = os.environ
    read_write = env["READ_WRITE_DATABASE_URL"]
    try:
        deploy_data_plane(env["STAGE"], AwsAccess(env["AWS_ENDPOINT_URL"], env["AWS_REGION"]), progress)
        provision_database(
            DatabaseUrl.parse(env["ADMIN_DATABASE_URL"]),
            DatabaseUrl.parse(read_write),
            DatabaseUrl.parse(env["READ_ONLY_DATABASE_URL"]),
            progress,
        )
        migrate(read_write, progress)
    except LocalStackError as error:
        sys.exit(f"bootstrap: {error}")


if __name__ == "__main__":
    main()
