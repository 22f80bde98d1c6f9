"""Organizations, their members and invitations.

    ORG#<org_id>   ORG                name, owners, owners_need_second_factor
    ORG#<org_id>   MEMBER#<user_id>   role, joined_at
    ORG#<org_id>   INVITE#<inv id>    email, role, token_hash, expires_at
    ORG#<org_id>   NOTICE#<key>       reserved_by, expires_at: a mail that is sent once

What changes people and their organization together is in `store.AccountStore`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.principals import Role
from imagelayer.platform.table import Action, ConditionFailed, Item, Table, transact

if TYPE_CHECKING:
    from imagelayer.identity.records import Invitation, Member, Organization

TRANSACTION_ACTIONS = 100  # TransactWriteItems, DynamoDB API reference


class OrganizationStore:
    """Organizations."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self._idempotency = IdempotencyStore(client, table)

    def get_organization(self, org_id: str) -> Organization | None:
        """An organization, or None."""
        return cast("Organization | None", self._table.get(**organization_key(org_id)))

    def update_organization(self, org_id: str, fields: Mapping[str, Any]) -> Organization | None:
        """Set fields; None when there is no such organization."""
        settings = ", ".join(f"#{name} = :{name}" for name in fields)
        try:
            changed = self._table.update(
                **organization_key(org_id),
                expression=f"SET {settings}",
                condition="attribute_exists(#pk)",
                **fields,
            )
        except ConditionFailed:
            return None
        return cast("Organization", changed)

    def factor_optional_check(self, org_id: str) -> Action:
        """A transaction's condition that the owners need no second factor."""
        return self._table.check_action(
            **organization_key(org_id),
            condition="attribute_not_exists(#owners_need_second_factor) "
            "OR #owners_need_second_factor = :no",
            no=False,
        )

    def get_member(self, org_id: str, user_id: str) -> Member | None:
        """A membership, or None."""
        found = self._table.get(**member_key(org_id, user_id))
        return _member(found) if found else None

    def get_role(self, org_id: str, user_id: str) -> Role | None:
        """A member's role, or None for a user who is not a member."""
        member = self.get_member(org_id, user_id)
        return member["role"] if member else None

    def list_members(
        self, org_id: str, *, limit: int | None = None, after: str | None = None
    ) -> list[Member]:
        """Memberships in order of the users' creation, past the user `after`."""
        found = self._table.query(
            f"ORG#{org_id}",
            prefix="MEMBER#",
            limit=limit,
            after=f"MEMBER#{after}" if after else None,
        )
        return [_member(each) for each in found]

    def role_check(self, org_id: str, user_id: str, roles: Sequence[Role]) -> Action:
        """A transaction's condition that a user is still a member and has one of `roles`."""
        return role_check(self._table, org_id, user_id, roles)

    def role_actions(self, member: Member, role: Role) -> list[Action]:
        """Give a member another role, inside a transaction.

        The first action is refused when the role is no longer as it was read; the second, which is
        only there when an owner becomes something else, when no other owner is left. Two owners who
        demote each other at once both count `owners` down, and the second finds it at one.
        """
        change = self._table.update_action(
            **member_key(member["org_id"], member["user_id"]),
            expression="SET #role = :role",
            condition="#role = :seen",
            role=role,
            seen=member["role"],
        )
        return [
            change,
            *owner_count_actions(
                self._table,
                member["org_id"],
                gained=role == "owner",
                lost=member["role"] == "owner",
            ),
        ]

    def create_invitation(
        self, invitation: Invitation, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write an invitation. Its id is fresh, so a repeated write writes the same again.

        Returns the ids an earlier request with the same idempotency key created, else None.
        """
        item: Item = {**invitation_key(invitation["org_id"], invitation["id"]), **invitation}
        return self._idempotency.create(item, record)

    def get_invitation(self, org_id: str, invitation_id: str, now: int) -> Invitation | None:
        """A pending invitation, or None."""
        found = self._table.get(**invitation_key(org_id, invitation_id))
        return cast("Invitation", found) if found and found["expires_at"] > now else None

    def list_invitations(self, org_id: str, *, limit: int, after: str | None) -> list[Invitation]:
        """Invitations in order of creation, past `after`; expired ones are among them."""
        found = self._table.query(
            f"ORG#{org_id}",
            prefix="INVITE#",
            limit=limit,
            after=f"INVITE#{after}" if after else None,
        )
        return cast("list[Invitation]", found)

    def set_invitation_token(self, invitation: Invitation, token_hash: str) -> bool:
        """Let the newest mail's token be the one that works; False when it was withdrawn."""
        try:
            self._table.update(
                **invitation_key(invitation["org_id"], invitation["id"]),
                expression="SET #token_hash = :token_hash",
                condition="attribute_exists(#pk)",
                token_hash=token_hash,
            )
        except ConditionFailed:
            return False
        return True

    def withdraw_invitation(self, org_id: str, invitation_id: str) -> bool:
        """Delete an invitation; False when there is none."""
        try:
            self._table.delete(
                **invitation_key(org_id, invitation_id), condition="attribute_exists(#pk)"
            )
        except ConditionFailed:
            return False
        return True

    def withdraw_invitations_of(
        self, org_id: str, user_id: str, withdrawn: Callable[[Invitation], bool]
    ) -> int:
        """Delete the invitations that a member sent and that `withdrawn` chooses; returns how many.

        Not one transaction, and none is needed: they cannot be accepted any more
        (`AccountStore.accept_invitation`). There are at most as many as the limit on invitations
        admits in the days that they are kept.
        """
        found = cast("list[Invitation]", self._table.query(f"ORG#{org_id}", prefix="INVITE#"))
        chosen = [each for each in found if each["invited_by"] == user_id and withdrawn(each)]
        for start in range(0, len(chosen), TRANSACTION_ACTIONS):
            transact(
                self._client,
                [
                    self._table.delete_action(**invitation_key(org_id, each["id"]))
                    for each in chosen[start : start + TRANSACTION_ACTIONS]
                ],
            )
        return len(chosen)

    def reserve_notice(self, org_id: str, key: str, message_id: str, expires_at: int) -> bool:
        """Reserve a mail that is sent once; False when another message has reserved it.

        Of two messages for the same mail the first puts the notice. A message that is delivered
        again keeps its own, so a worker that died before sending is replaced by the next.
        """
        try:
            self._table.put(
                {
                    "pk": f"ORG#{org_id}",
                    "sk": f"NOTICE#{key}",
                    "reserved_by": message_id,
                    "expires_at": expires_at,
                },
                condition="attribute_not_exists(#pk) OR #reserved_by = :message_id",
                message_id=message_id,
            )
        except ConditionFailed:
            return False
        return True


def role_check(table: Table, org_id: str, user_id: str, roles: Sequence[Role]) -> Action:
    """A transaction's condition that a user is still a member and has one of `roles`.

    A membership that is gone has no role, and is refused.
    """
    values = {f"role_{number}": role for number, role in enumerate(roles)}
    return table.check_action(
        **member_key(org_id, user_id),
        condition=f"#role IN ({', '.join(f':{name}' for name in values)})",
        **values,
    )


def owner_count_actions(table: Table, org_id: str, *, gained: bool, lost: bool) -> list[Action]:
    """Count an owner who comes or goes, inside a transaction; refused when the last one goes."""
    if gained == lost:
        return []
    return [
        table.update_action(
            **organization_key(org_id),
            expression=f"SET #owners = #owners {'+' if gained else '-'} :one",
            condition="attribute_exists(#pk)" if gained else "#owners > :one",
            one=1,
        )
    ]


def organization_key(org_id: str) -> dict[str, str]:
    """Where an organization is kept."""
    return {"pk": f"ORG#{org_id}", "sk": "ORG"}


def member_key(org_id: str, user_id: str) -> dict[str, str]:
    """Where a membership is kept."""
    return {"pk": f"ORG#{org_id}", "sk": f"MEMBER#{user_id}"}


def invitation_key(org_id: str, invitation_id: str) -> dict[str, str]:
    """Where an invitation is kept."""
    return {"pk": f"ORG#{org_id}", "sk": f"INVITE#{invitation_id}"}


def _member(item: Item) -> Member:
    return {
        "org_id": item["pk"].removeprefix("ORG#"),
        "user_id": item["sk"].removeprefix("MEMBER#"),
        "role": item["role"],
        "joined_at": item["joined_at"],
    }
