"""Deploy the CloudFormation template, again and again with the same result, and tell what it made."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import aioboto3
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError, WaiterError

from deploy.local.aws_access import AwsAccess
from deploy.local.errors import DeployFailed

if TYPE_CHECKING:
    from types_aiobotocore_cloudformation import CloudFormationClient
    from types_aiobotocore_cloudformation.type_defs import ParameterTypeDef, WaiterConfigTypeDef

TEMPLATE = Path(__file__).parents[1] / "cloudformation" / "data-plane.yaml"
_POLL_SECONDS = 1
_DEPLOY_SECONDS = 600
# States that a stack cannot be updated from; nothing of it is in use yet.
_STILLBORN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class DataPlane:
    """The template's outputs."""

    uploads_bucket: str
    receipts_bucket: str
    error_bucket: str
    feed_uploads_queue_url: str
    feed_uploads_queue_arn: str
    feed_uploads_dlq_url: str
    feed_overflow_queue_url: str
    feed_events_topic_arn: str
    notifier_queue_url: str
    notifier_dlq_url: str
    client_notifications_topic_arn: str
    processing_log_table: str

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> Self:
        """`UploadsBucket` becomes `uploads_bucket`. Raises KeyError if the template lacks an output."""
        fields = cls.__dataclass_fields__
        return cls(**{name: outputs["".join(part.capitalize() for part in name.split("_"))] for name in fields})


async def deploy_data_plane(access: AwsAccess, stage: str, parameters: Mapping[str, str] | None = None) -> DataPlane:
    """Create or update the stack `sellersync-<stage>`, and wait for it. Raises DeployFailed with the reasons."""
    name = f"sellersync-{stage}"
    wanted = {"Stage": stage, **(parameters or {})}
    session = aioboto3.Session(
        region_name=access.region,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
    )
    config = AioConfig(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3, "mode": "standard"})
    async with session.client("cloudformation", endpoint_url=access.endpoint_url, config=config) as client:
        try:
            await _create_or_update(client, name, wanted)
        except (ClientError, WaiterError) as error:
            reasons = await _reasons(client, name)
            raise DeployFailed("\n".join([f"stack {name} cannot be deployed: {error}", *reasons])) from error
        stacks = await client.describe_stacks(StackName=name)
    return DataPlane.from_outputs({o["OutputKey"]: o["OutputValue"] for o in stacks["Stacks"][0]["Outputs"]})


def deploy_data_plane_now(access: AwsAccess, stage: str, parameters: Mapping[str, str] | None = None) -> DataPlane:
    """`deploy_data_plane` for callers without an event loop."""
    return asyncio.run(deploy_data_plane(access, stage, parameters))


async def _create_or_update(client: "CloudFormationClient", name: str, wanted: Mapping[str, str]) -> None:
    template = TEMPLATE.read_text()
    waiting: WaiterConfigTypeDef = {"Delay": _POLL_SECONDS, "MaxAttempts": _DEPLOY_SECONDS // _POLL_SECONDS}
    status = await _status(client, name)
    if status in _STILLBORN:
        await client.delete_stack(StackName=name)
        await client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=waiting)
        status = None
    parameters: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()
    ]
    if status is None:
        await client.create_stack(StackName=name, TemplateBody=template, Parameters=parameters)
        await client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiting)
        return
    try:
        await client.update_stack(StackName=name, TemplateBody=template, Parameters=parameters)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise
    await client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=waiting)


async def _status(client: "CloudFormationClient", name: str) -> str | None:
    try:
        stacks = await client.describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return stacks["Stacks"][0]["StackStatus"]


async def _reasons(client: "CloudFormationClient", name: str) -> list[str]:
    """What went wrong with which resource, as far as CloudFormation tells."""
    try:
        events = await client.describe_stack_events(StackName=name)
    except ClientError:
        return []
    return [
        f"  {event.get('LogicalResourceId')}: {event.get('ResourceStatusReason')}"
        for event in events["StackEvents"]
        if event.get("ResourceStatus", "").endswith("FAILED")
    ]
