"""Which settings each service gets from the local stack: what it needs, and nothing else."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.aws_access import AwsAccess
from deploy.local.data_plane import DataPlane
from deploy.local.database_server import DatabaseAccess
from deploy.local.network_ports import LOOPBACK

SERVICES = ("ingest", "aggregator", "query", "notifier")
"""In the order in which they start; they stop in the opposite one."""

VISIBILITY_SECONDS = 60
LEASE_SECONDS = 60

# What a developer may set for a run: `LOG_LEVEL=DEBUG make run`. Tests pass nothing on.
_PASSED_TO_ALL = ("LOG_LEVEL", "DEFAULT_SELLER_ID", "SHUTDOWN_GRACE_SECONDS")
_PASSED_TO_QUERY = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")


def service_settings(
    service: str,
    *,
    port: int,
    aws: AwsAccess,
    plane: DataPlane,
    database: DatabaseAccess,
    work: Path,
    developer: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment variables of one service, beside what every program needs.

    `developer`: the developer's environment, of which a few settings are passed on.
    """
    own: Mapping[str, str]
    theirs = developer or {}
    match service:
        case "ingest":
            own = {"UPLOADS_BUCKET": plane.uploads_bucket, "RECEIPTS_BUCKET": plane.receipts_bucket}
        case "aggregator":
            own = {
                "DATABASE_URL": str(database.read_write),
                "UPLOADS_BUCKET": plane.uploads_bucket,
                "ERROR_BUCKET": plane.error_bucket,
                "RECEIPTS_BUCKET": plane.receipts_bucket,
                "FEED_UPLOADS_QUEUE_URL": plane.feed_uploads_queue_url,
                "FEED_UPLOADS_DLQ_URL": plane.feed_uploads_dlq_url,
                "FEED_OVERFLOW_QUEUE_URL": plane.feed_overflow_queue_url,
                "FEED_EVENTS_TOPIC_ARN": plane.feed_events_topic_arn,
                "VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
                "LEASE_SECONDS": str(LEASE_SECONDS),
                "WORK_DIR": str(work / service),
            }
        case "query":
            own = {
                "DATABASE_URL": str(database.read_only),
                "PROCESSING_LOG_TABLE": plane.processing_log_table,
                "RECEIPTS_BUCKET": plane.receipts_bucket,
                "ERROR_BUCKET": plane.error_bucket,
                **_chosen(theirs, _PASSED_TO_QUERY),
            }
        case "notifier":
            own = {
                "NOTIFIER_QUEUE_URL": plane.notifier_queue_url,
                "NOTIFIER_DLQ_URL": plane.notifier_dlq_url,
                "CLIENT_NOTIFICATIONS_TOPIC_ARN": plane.client_notifications_topic_arn,
                "PROCESSING_LOG_TABLE": plane.processing_log_table,
                "VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
            }
        case _:
            raise ValueError(f"no such service: {service}")
    return {
        **aws.environment(),
        **_chosen(theirs, _PASSED_TO_ALL),
        "HOST": LOOPBACK,
        "PORT": str(port),
        "LOG_FORMAT": "json",
        **own,
    }


def _chosen(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: environment[name] for name in names if environment.get(name)}
