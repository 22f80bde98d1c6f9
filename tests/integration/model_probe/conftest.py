"""The product with three vendors set up, which are on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dev.model_servers import BEDROCK_ROOT, GOOGLE_KEY, GOOGLE_ROOT, OPENAI_KEY, OPENAI_ROOT
from tests.support import aws
from tests.support import vendors as support
from tests.support.product import Product
from tests.support.vendors import Vendors


@pytest.fixture(scope="module")
def served() -> Iterator[Vendors]:
    """One server for the module."""
    with support.serve() as found:
        yield found


@pytest.fixture
def vendors(served: Vendors) -> Vendors:
    """The vendors without a script."""
    served.reset()
    return served


@pytest.fixture
def product(vendors: Vendors) -> Iterator[Product]:
    """The whole product, with keys of all vendors."""
    parameters = {
        "IMAGE_PROVIDERS": "openai,google,bedrock",
        "OPENAI_BASE_URL": f"{vendors.origin}{OPENAI_ROOT}",
        "GOOGLE_BASE_URL": f"{vendors.origin}{GOOGLE_ROOT}",
        "BEDROCK_REGION": "us-west-2",
        "BEDROCK_ENDPOINT_URL": f"{vendors.origin}{BEDROCK_ROOT}",
    }
    with Product(parameters=parameters) as made:
        keys = json.dumps({"openai": OPENAI_KEY, "google": GOOGLE_KEY})
        aws.client("secretsmanager").put_secret_value(
            SecretId=made.names["ProviderSecret"], SecretString=keys
        )
        yield made
