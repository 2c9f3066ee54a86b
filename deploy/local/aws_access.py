"""How the stack's programs reach AWS or its emulator; apart from the emulator, because containers have their own."""

from dataclasses import dataclass

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How to reach AWS, or what stands in for it. The credentials of an emulator are placeholders."""

    endpoint_url: str | None
    region: str = REGION
    access_key_id: str = "test"
    secret_access_key: str = "test"  # noqa: S105 - the emulator takes anything

    def environment(self) -> dict[str, str]:
        variables = {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }
        return variables | ({"AWS_ENDPOINT_URL": self.endpoint_url} if self.endpoint_url else {})
