"""What a feed is to be read with: what its object came with, and what somebody asked for since."""

from collections.abc import Mapping

from pydantic import ValidationError

from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedError


def options_of(metadata: Mapping[str, str], overrides: Mapping[str, str | None]) -> FeedOptions | FeedError:
    """The options, or why they cannot be meant. An override of None asks for the default."""
    came = {name.lower().replace("-", "_"): value for name, value in metadata.items()}
    kept = {name: value for name, value in came.items() if name not in overrides}
    asked = {name: value for name, value in overrides.items() if value is not None}
    try:
        given = FeedOptions.from_metadata(kept)
        if not asked:
            return given
        texts = given.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        return FeedOptions.from_texts({name: str(value) for name, value in texts.items()} | asked)
    except (ValueError, ValidationError) as error:
        return FeedError(code="reference/invalid_option", message=str(error))
