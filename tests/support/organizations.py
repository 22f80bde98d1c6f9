"""What people do with their organization, for its tests."""

from __future__ import annotations

from typing import Any

from tests.support import accounts
from tests.support.api import Account, Answer
from tests.support.product import Product

ORGANIZATION = "/v1/organization"
MEMBERS = "/v1/organization/members"
INVITATIONS = "/v1/organization/invitations"
EVENTS = "/v1/organization/security-events"


def change(product: Product, by: Account, **fields: Any) -> Answer:
    """Change the organization."""
    return product.call("PATCH", ORGANIZATION, headers=by.headers, body=fields)


def give_role(product: Product, by: Account, user_id: str, role: str) -> Answer:
    """Give a member another role."""
    path = f"{MEMBERS}/{user_id}"
    return product.call("PATCH", path, headers=by.headers, body={"role": role})


def remove(product: Product, by: Account, user_id: str) -> Answer:
    """Remove a member, or leave."""
    return product.call("DELETE", f"{MEMBERS}/{user_id}", headers=by.headers)


def invite(product: Product, by: Account, email: str, role: str = "viewer") -> Answer:
    """Invite someone."""
    body = {"email": email, "role": role}
    return product.call("POST", INVITATIONS, headers=by.headers, body=body)


def withdraw(product: Product, by: Account, invitation_id: str) -> Answer:
    """Withdraw an invitation."""
    return product.call("DELETE", f"{INVITATIONS}/{invitation_id}", headers=by.headers)


def listed(product: Product, by: Account, path: str, **query: str) -> list[dict[str, Any]]:
    """The rows of one page."""
    answer = product.call("GET", path, headers=by.headers, query=query)
    assert answer.status == 200, answer.text
    return list(answer.json["data"])


def paged(product: Product, by: Account, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    pages: list[list[dict[str, Any]]] = []
    query = {"limit": str(limit)}
    while True:
        page = product.call("GET", path, headers=by.headers, query=query).json
        pages.append(page["data"])
        if page["next_cursor"] is None:
            return pages
        query["cursor"] = page["next_cursor"]


def roles(product: Product, by: Account) -> dict[str, str]:
    """Address -> role of every member."""
    rows = listed(product, by, MEMBERS, limit="100")
    return {row["email"]: row["role"] for row in rows}


def owners(product: Product, org_id: str) -> tuple[int, int]:
    """How many owners are counted, and how many there are."""
    items = [item for item in product.items("AccountsTable") if item["pk"] == f"ORG#{org_id}"]
    (organization,) = [item for item in items if item["sk"] == "ORG"]
    return organization["owners"], len([item for item in items if item.get("role") == "owner"])


def is_out(product: Product, account: Account) -> bool:
    """Whether neither the access token nor the refresh cookie is good any more; both are tried."""
    access = accounts.is_logged_in(product, account.token)
    refreshed = accounts.refresh(product, account.cookie).status
    assert refreshed in (200, 401)
    assert access == (refreshed == 200)
    return not access


def log_in_again(product: Product, account: Account) -> Account:
    """The same person with a new session."""
    return accounts.account_of(account.email, accounts.log_in(product, account.email))
