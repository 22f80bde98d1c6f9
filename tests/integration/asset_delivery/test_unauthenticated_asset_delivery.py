"""Requests for an image without a valid credential."""

from __future__ import annotations

import pytest

from tests.support.product import Product


@pytest.mark.promise("limits-fail-closed")
def test_a_guess_counts_at_its_address(product: Product) -> None:
    headers = {"authorization": "Bearer il_live_guess"}
    answer = product.call("GET", "/v1/assets/ast_guess", headers=headers, ip="198.51.100.77")
    assert answer.status == 401
    (counted,) = product.items("CountersTable")
    assert counted["pk"].endswith("#198.51.100.77")
