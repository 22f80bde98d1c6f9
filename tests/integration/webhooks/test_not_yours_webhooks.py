"""What belongs to another organization's endpoints is missing."""

from __future__ import annotations

import pytest

from imagelayer.platform.ids import new_id
from tests.support.api import Account
from tests.support.product import Product
from tests.support.webhook_requests import call


@pytest.mark.promise("org-scoped")
def test_a_message_of_another_organization_cannot_be_sent_to_ones_own_endpoint(
    product: Product, owner: Account, stranger: Account
) -> None:
    webhook, own = product.webhook(owner), product.webhook(stranger)
    message_id = call(product, owner, "POST", f"/{webhook['id']}/test").json["id"]
    answers = [
        call(
            product,
            stranger,
            "POST",
            f"/{own['id']}/messages/{each}/resend",
            request_id="req-same",
        )
        for each in (message_id, new_id("msg", 1_800_000_000))
    ]
    assert [each.status for each in answers] == [404, 404]
    assert answers[0].text == answers[1].text


@pytest.mark.promise("org-scoped")
def test_a_foreign_cursor_positions_only_inside_ones_own_log(
    product: Product, owner: Account
) -> None:
    one, two = product.webhook(owner), product.webhook(owner)
    path = f"/{one['id']}/attempts"
    for cursor in (new_id("att", 1.0), new_id("att", 4e9)):
        answer = call(product, owner, "GET", path, query={"cursor": cursor})
        assert answer.json == {"data": [], "next_cursor": None}
    for cursor in (two["id"], "att_x", "../x"):
        assert call(product, owner, "GET", path, query={"cursor": cursor}).status == 422
