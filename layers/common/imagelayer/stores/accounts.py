"""People and organizations.

    EMAIL#<canonical>   EMAIL              user_id            the claim that makes an address unique
    USER#<user_id>      USER               email, name, org_id, password_hash, verified_at, pending
    ORG#<org_id>        ORG                name
    ORG#<org_id>        MEMBER#<user_id>   role

`pending` is a registration that awaits its mail: {token_hash, password_hash, name, expires_at}.
The password belongs to it, not to the account, so that whoever confirms the mail gets the password
of the sign-up that sent it. A stranger who signs up with somebody else's address first gains
nothing by it.
"""

from __future__ import annotations

from typing import Any

from imagelayer.stores.table import (
    ConditionFailed,
    Item,
    StoreUnavailable,
    Table,
    TransactionRefused,
    transact,
)


class AccountStore:
    """Accounts."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table

    def by_email(self, canonical: str) -> Item | None:
        """The user who holds an address, or None."""
        claim = self._table.get(f"EMAIL#{canonical}", "EMAIL")
        return self.user(claim["user_id"]) if claim else None

    def user(self, user_id: str) -> Item | None:
        """A user."""
        return self._table.get(f"USER#{user_id}", "USER")

    def organization(self, org_id: str) -> Item | None:
        """An organization."""
        return self._table.get(f"ORG#{org_id}", "ORG")

    def role(self, org_id: str, user_id: str) -> str | None:
        """A member's role, or None for somebody who is none."""
        member = self._table.get(f"ORG#{org_id}", f"MEMBER#{user_id}")
        return member["role"] if member else None

    def create(self, user: Item, organization: Item) -> Item | None:
        """Claim the address and create user, organization and membership: all or nothing.

        Returns the user who already holds the address when there is one, else None.

        The claim is the uniqueness constraint: its key is the address. Of any number of racing
        sign-ups DynamoDB lets one put succeed; the others are canceled whole and leave nothing.
        """
        org, person = organization["id"], user["id"]
        try:
            transact(
                self._client,
                [
                    self._table.put_action(
                        {
                            "pk": f"EMAIL#{user['email']}",
                            "sk": "EMAIL",
                            "user_id": person,
                            "created_at": user["created_at"],
                        },
                        condition="attribute_not_exists(#pk)",
                    ),
                    self._table.put_action(
                        {"pk": f"USER#{person}", "sk": "USER", **user},
                        condition="attribute_not_exists(#pk)",
                    ),
                    self._table.put_action(
                        {"pk": f"ORG#{org}", "sk": "ORG", **organization},
                        condition="attribute_not_exists(#pk)",
                    ),
                    self._table.put_action(
                        {"pk": f"ORG#{org}", "sk": f"MEMBER#{person}", "role": "owner"},
                        condition="attribute_not_exists(#pk)",
                    ),
                ],
            )
        except TransactionRefused as refusal:
            claim = refusal.items[0]
            holder = self.user(claim["user_id"]) if claim else None
            if holder is None:  # not a lost race for the address, so nothing we can name
                raise StoreUnavailable("transact_write_items", "no holder of the address") from None
            return holder
        return None

    def replace_pending(self, user_id: str, pending: Item) -> bool:
        """Let the newest sign-up of an unverified address win; False once it is verified."""
        try:
            self._table.update(
                f"USER#{user_id}",
                "USER",
                "SET #pending = :pending",
                condition="attribute_exists(#pk) AND attribute_not_exists(#verified_at)",
                pending=pending,
            )
        except ConditionFailed:
            return False
        return True

    def verify(self, user_id: str, token_hash: str, attempt: str, now: int) -> Item | None:
        """Confirm the pending registration with that token; None when there is no such.

        One conditional update consumes the token and verifies the address, so a link works once:
        of two confirmations the second finds `pending` gone. `attempt` is new for each
        request: the SDK's repetition after a lost answer finds it there and is no second use.
        """
        try:
            return self._table.update(
                f"USER#{user_id}",
                "USER",
                "SET #verified_at = :now, #password_hash = #pending.#password_hash, "
                "#name = #pending.#name, #verified_by = :attempt REMOVE #pending",
                condition="#pending.#token_hash = :token_hash AND #pending.#expires_at > :now "
                "AND attribute_not_exists(#verified_at)",
                token_hash=token_hash,
                attempt=attempt,
                now=now,
            )
        except ConditionFailed as failure:
            ours = (failure.item or {}).get("verified_by") == attempt
            return failure.item if ours else None
