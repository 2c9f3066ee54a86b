"""The product on the session's stack, and a seller for each test, so that tests do not see each other's feeds."""

import secrets
from collections.abc import Iterator

import pytest

from deploy.local.stack import Stack
from tests.e2e.product import Inbox, Product


@pytest.fixture
def product(stack: Stack) -> Iterator[Product]:
    made = Product(stack)
    yield made
    made.close()


@pytest.fixture
def seller() -> str:
    return f"seller-{secrets.token_hex(4)}"


@pytest.fixture
def inbox(product: Product, seller: str) -> Iterator[Inbox]:
    with product.inbox(seller) as subscribed:
        yield subscribed
