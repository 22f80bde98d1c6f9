"""People, organizations, and what waits between them.

    EMAIL#<address hash>   EMAIL              user_id, org_id: makes an address unique
    USER#<user_id>         USER               email, name, org_id, password_hash, verified_at, rev,
                                              pending, reset, totp, last_login_at
    USER#<user_id>         PLACE#<place id>   expires_at: a network this user logged in from
    ORG#<org_id>           ORG                name, owners, owners_need_second_factor
    ORG#<org_id>           MEMBER#<user_id>   role, joined_at
    ORG#<org_id>           INVITE#<inv id>    email, role, token_hash, expires_at
    ORG#<org_id>           NOTICE#<key>       claimed_by, expires_at: a mail that is sent once
    SIGNUP#<random>        SIGNUP             email, password_hash, name, expires_at

`rev` grows with every change of a user's credentials, role or set of sessions. Whoever changes one
of these names the `rev` it read: of two such changes the second is refused and starts over with
what the first one left. So no login slips past a password change, and no session keeps a role that
was just taken away.

`pending` is a sign-up that awaits its mail: {token_hash, password_hash, name, expires_at,
contested}. The password belongs to it, not to the account: see docs/decisions/0006.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    StoreUnavailable,
    Table,
    TransactionRefused,
    sweep_shard,
    transact,
)

# A sign-up that nobody confirmed gives its address free after this long.
UNCONFIRMED_SECONDS = 7 * 86_400
# Read in place of a user that does not exist, so that both cases take the same calls.
NOBODY = "usr_nobody"


class AccountStore:
    """Accounts."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self._idempotency = IdempotencyStore(client, table)

    # ── People ──────────────────────────────────────────────────────────────────────────────────

    def by_address(self, address: str) -> Item | None:
        """The user who holds an address (named by its hash), or None. Two reads either way."""
        claim = self._table.get(f"EMAIL#{address}", "EMAIL")
        return self.user(claim["user_id"] if claim else NOBODY)

    def user(self, user_id: str) -> Item | None:
        """A user."""
        return self._table.get(f"USER#{user_id}", "USER")

    def create(self, user: Item, organization: Item, address: str) -> Item | None:
        """Claim the address and create user, organization and membership: all or nothing.

        Returns the claim that stands there already when there is one, else None.

        The claim is the uniqueness constraint: its key is the address. Of any number of racing
        sign-ups DynamoDB lets one put succeed; the others are canceled whole and leave nothing.
        """
        try:
            transact(
                self._client,
                [
                    self._claim(address, user, condition="attribute_not_exists(#pk)"),
                    self._new_user(
                        {
                            **user,
                            "sweep_shard": sweep_shard(user["id"]),
                            "sweep_at": user["created_at"] + UNCONFIRMED_SECONDS,
                        }
                    ),
                    self._table.put_action(
                        {
                            "pk": f"ORG#{organization['id']}",
                            "sk": "ORG",
                            **organization,
                            "owners": 1,
                        },
                        condition="attribute_not_exists(#pk)",
                    ),
                    self._new_member(user, "owner"),
                ],
            )
        except TransactionRefused as refusal:
            claim = refusal.items[0]
            if claim is None:  # not a lost race for the address, so nothing we can name
                raise StoreUnavailable("transact_write_items", "no holder of the address") from None
            return claim
        return None

    def user_action(
        self, user: Item, sets: Mapping[str, Any], removes: Sequence[str] = ()
    ) -> Action:
        """Change a user as it was read, inside a transaction.

        Refused when `rev` has grown since: somebody else changed the credentials, the role or the
        set of sessions, and what was decided here may no longer be so.
        """
        changes = "".join(f", #{name} = :{name}" for name in sets)
        removed = f" REMOVE {', '.join(f'#{name}' for name in removes)}" if removes else ""
        return self._table.update_action(
            f"USER#{user['id']}",
            "USER",
            f"SET #rev = #rev + :one{changes}{removed}",
            condition="#rev = :seen_rev",
            one=1,
            seen_rev=user["rev"],
            **sets,
        )

    def commit(self, actions: Sequence[Action]) -> None:
        """Do all or none. Raises TransactionRefused or StoreUnavailable."""
        transact(self._client, actions)

    def acknowledge(self, user_id: str, attribute: str) -> None:
        """Forget that the answer to a change may not have arrived; see `registration.verify`."""
        with suppress(ConditionFailed):  # the user was removed meanwhile
            self._table.update(
                f"USER#{user_id}", "USER", f"REMOVE #{attribute}", condition="attribute_exists(#pk)"
            )

    def acknowledge_code(self, user_id: str) -> None:
        """Spend the code of a login for good: its session is on its way."""
        with suppress(ConditionFailed):  # the second factor was removed meanwhile
            self._table.update(
                f"USER#{user_id}",
                "USER",
                "SET #totp.#unacknowledged = :nothing",
                condition="attribute_exists(#totp)",
                nothing="",
            )

    def acknowledge_enrolment(self, user_id: str) -> None:
        """The recovery codes of a new second factor are on their way."""
        with suppress(ConditionFailed):
            self._table.update(
                f"USER#{user_id}",
                "USER",
                "REMOVE #totp.#enrolled_by",
                condition="attribute_exists(#totp)",
            )

    # ── Sign-ups and links ──────────────────────────────────────────────────────────────────────

    def keep_sign_up(self, sign_up: Item) -> None:
        """Keep a sign-up until its mail is written. Its id is fresh: a repeat changes nothing."""
        self._table.put({"pk": f"SIGNUP#{sign_up['id']}", "sk": "SIGNUP", **sign_up})

    def sign_up(self, sign_up_id: str, now: int) -> Item | None:
        """A sign-up that waits."""
        found = self._table.get(f"SIGNUP#{sign_up_id}", "SIGNUP")
        return found if found and found["expires_at"] > now else None

    def drop_sign_up(self, sign_up_id: str) -> None:
        """Forget a sign-up whose mail is out; its TTL is the backstop."""
        self._table.delete(f"SIGNUP#{sign_up_id}", "SIGNUP")

    def set_pending(self, user_id: str, pending: Item, seen: Item | None) -> bool:
        """Let a sign-up wait for its confirmation; False when another got in between.

        The condition names the pending sign-up as it was read, so that of two that arrive
        together each sees the other and `contested` is never lost. Also False once the address is
        verified.
        """
        same = "#pending = :seen" if seen else "attribute_not_exists(#pending)"
        try:
            self._table.update(
                f"USER#{user_id}",
                "USER",
                "SET #pending = :pending",
                condition=f"attribute_exists(#pk) AND attribute_not_exists(#verified_at) "
                f"AND {same}",
                pending=pending,
                **({"seen": seen} if seen else {}),
            )
        except ConditionFailed as failure:
            # Our own write, repeated after its answer was lost.
            return (failure.item or {}).get("pending") == pending
        return True

    def verify(self, user: Item, sets: Mapping[str, Any], now: int) -> bool:
        """Confirm the pending sign-up of a user as it was read; False when it is no longer that.

        One conditional update consumes the token and verifies the address, so a link works once:
        of two confirmations the second finds `pending` gone. `sets` names the token, so the SDK's
        repetition after a lost answer finds its own work and is no second use.
        """
        pending = user["pending"]
        changes = "".join(f", #{name} = :{name}" for name in sets)
        try:
            self._table.update(
                f"USER#{user['id']}",
                "USER",
                f"SET #rev = #rev + :one, #verified_at = :now{changes} "
                "REMOVE #pending, #sweep_shard, #sweep_at",
                condition="#pending.#token_hash = :token_hash "
                "AND #pending.#contested = :contested AND #pending.#expires_at > :now "
                "AND attribute_not_exists(#verified_at)",
                one=1,
                now=now,
                token_hash=pending["token_hash"],
                contested=pending["contested"],
                **sets,
            )
        except ConditionFailed as failure:
            return all((failure.item or {}).get(name) == value for name, value in sets.items())
        return True

    def set_reset(self, user_id: str, reset: Item) -> bool:
        """Let the newest reset link be the one that works; False for who is not verified."""
        try:
            self._table.update(
                f"USER#{user_id}",
                "USER",
                "SET #reset = :reset",
                condition="attribute_exists(#verified_at)",
                reset=reset,
            )
        except ConditionFailed:
            return False
        return True

    def due(self, shard: int, now: int) -> list[Item]:
        """Users of one shard who have not confirmed their address in time."""
        return self._table.due(shard, now)

    def postpone(self, user: Item, sweep_at: int) -> None:
        """Look at an unconfirmed user later: a newer sign-up may still be confirmed."""
        with suppress(ConditionFailed):  # confirmed, removed or postponed meanwhile
            self._table.update(
                user["pk"],
                user["sk"],
                "SET #sweep_at = :sweep_at",
                condition="#sweep_at = :seen",
                sweep_at=sweep_at,
                seen=user["sweep_at"],
            )

    def drop_unconfirmed(self, user: Item, address: str, now: int) -> bool:
        """Remove a user who never confirmed, with the claim and the empty organization: all or
        nothing. False when the address was confirmed or signed up for again since, or when another
        sweep was first."""
        org = f"ORG#{user['org_id']}"
        try:
            transact(
                self._client,
                [
                    self._table.delete_action(
                        user["pk"],
                        user["sk"],
                        condition="attribute_not_exists(#verified_at) AND #sweep_at = :seen "
                        "AND (attribute_not_exists(#pending) OR #pending.#expires_at <= :now)",
                        seen=user["sweep_at"],
                        now=now,
                    ),
                    self._table.delete_action(
                        f"EMAIL#{address}", "EMAIL", condition="#user_id = :id", id=user["id"]
                    ),
                    self._table.delete_action(org, "ORG"),
                    self._table.delete_action(org, f"MEMBER#{user['id']}"),
                ],
            )
        except TransactionRefused:
            return False
        return True

    # ── Places ──────────────────────────────────────────────────────────────────────────────────

    def place(self, user_id: str, place_id: str, now: int) -> Item | None:
        """A place this user is known at, or None."""
        found = self._table.get(f"USER#{user_id}", f"PLACE#{place_id}")
        return found if found and found["expires_at"] > now else None

    def remember_place(self, user_id: str, place_id: str, expires_at: int) -> None:
        """Know a user at a place until then."""
        self._table.put(
            {"pk": f"USER#{user_id}", "sk": f"PLACE#{place_id}", "expires_at": expires_at}
        )

    def forget_places(self, user_id: str) -> None:
        """Forget where a user who is gone logged in from; the TTL is the backstop."""
        for item in self._table.query(f"USER#{user_id}", prefix="PLACE#"):
            self._table.delete(item["pk"], item["sk"])

    # ── Organizations ───────────────────────────────────────────────────────────────────────────

    def organization(self, org_id: str) -> Item | None:
        """An organization."""
        return self._table.get(f"ORG#{org_id}", "ORG")

    def change_organization(self, org_id: str, fields: Mapping[str, Any]) -> Item | None:
        """Set fields; None when there is no such organization."""
        settings = ", ".join(f"#{name} = :{name}" for name in fields)
        try:
            return self._table.update(
                f"ORG#{org_id}",
                "ORG",
                f"SET {settings}",
                condition="attribute_exists(#pk)",
                **fields,
            )
        except ConditionFailed:
            return None

    def factor_optional_check(self, org_id: str) -> Action:
        """A transaction's condition that the owners need no second factor."""
        return self._table.check_action(
            f"ORG#{org_id}",
            "ORG",
            condition="attribute_not_exists(#owners_need_second_factor) "
            "OR #owners_need_second_factor = :no",
            no=False,
        )

    def member(self, org_id: str, user_id: str) -> Item | None:
        """A membership, or None."""
        return self._table.get(f"ORG#{org_id}", f"MEMBER#{user_id}")

    def role(self, org_id: str, user_id: str) -> str | None:
        """A member's role, or None for somebody who is none."""
        member = self.member(org_id, user_id)
        return member["role"] if member else None

    def members(
        self, org_id: str, *, limit: int | None = None, after: str | None = None
    ) -> list[Item]:
        """Memberships in order of the users' creation, past `after`."""
        return self._table.query(
            f"ORG#{org_id}",
            prefix="MEMBER#",
            limit=limit,
            after=f"MEMBER#{after}" if after else None,
        )

    def role_actions(self, member: Item, role: str) -> list[Action]:
        """Give a member another role, inside a transaction.

        The first action is refused when the role is no longer as it was read; the second, which is
        only there when an owner becomes something else, when no other owner is left. Two owners who
        demote each other at once both count `owners` down, and the second finds it at one.
        """
        org_id, user_id = member["pk"].removeprefix("ORG#"), member["sk"].removeprefix("MEMBER#")
        change = self._table.update_action(
            f"ORG#{org_id}",
            f"MEMBER#{user_id}",
            "SET #role = :role",
            condition="#role = :seen",
            role=role,
            seen=member["role"],
        )
        return [change, *self._owners(org_id, gained=role == "owner", lost=_is_owner(member))]

    def removal_actions(self, member: Item, user: Item, address: str) -> list[Action]:
        """Remove a membership and the account that belongs to it, inside a transaction.

        Refused as in `role_actions`, and by the third action when the user was changed since.
        """
        org_id = member["pk"].removeprefix("ORG#")
        owners = self._owners(org_id, gained=False, lost=_is_owner(member))
        return [
            self._table.delete_action(
                member["pk"], member["sk"], condition="#role = :seen", seen=member["role"]
            ),
            *owners,
            self._table.delete_action(
                f"USER#{user['id']}", "USER", condition="#rev = :seen_rev", seen_rev=user["rev"]
            ),
            self._table.delete_action(
                f"EMAIL#{address}", "EMAIL", condition="#user_id = :user_id", user_id=user["id"]
            ),
        ]

    def _owners(self, org_id: str, *, gained: bool, lost: bool) -> list[Action]:
        if gained == lost:
            return []
        return [
            self._table.update_action(
                f"ORG#{org_id}",
                "ORG",
                f"SET #owners = #owners {'+' if gained else '-'} :one",
                condition="attribute_exists(#pk)" if gained else "#owners > :one",
                one=1,
            )
        ]

    # ── Invitations ─────────────────────────────────────────────────────────────────────────────

    def create_invitation(
        self, invitation: Item, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write an invitation. Its id is fresh, so a repeated write writes the same again.

        Returns the ids an earlier request with the same idempotency key created, else None.
        """
        item = {**_invitation_key(invitation["org_id"], invitation["id"]), **invitation}
        return self._idempotency.create(item, record)

    def invitation(self, org_id: str, invitation_id: str, now: int) -> Item | None:
        """An invitation that waits, or None."""
        found = self._table.get(**_invitation_key(org_id, invitation_id))
        return found if found and found["expires_at"] > now else None

    def invitations(self, org_id: str, *, limit: int, after: str | None) -> list[Item]:
        """Invitations in order of creation, past `after`; those that ran out are among them."""
        return self._table.query(
            f"ORG#{org_id}",
            prefix="INVITE#",
            limit=limit,
            after=f"INVITE#{after}" if after else None,
        )

    def set_invitation_token(self, invitation: Item, token_hash: str) -> bool:
        """Let the newest mail's token be the one that works; False when it was withdrawn."""
        try:
            self._table.update(
                **_invitation_key(invitation["org_id"], invitation["id"]),
                expression="SET #token_hash = :token_hash",
                condition="attribute_exists(#pk)",
                token_hash=token_hash,
            )
        except ConditionFailed:
            return False
        return True

    def delete_invitation(self, org_id: str, invitation_id: str) -> bool:
        """Withdraw an invitation; False when there is none."""
        try:
            self._table.delete(
                **_invitation_key(org_id, invitation_id), condition="attribute_exists(#pk)"
            )
        except ConditionFailed:
            return False
        return True

    def join(self, invitation: Item, user: Item, address: str, holder: Item | None) -> bool:
        """Turn an invitation into a user and a membership: all or nothing.

        `holder` is an unverified account at the address, or None. Somebody signed up with it and
        never confirmed; who holds an invitation has shown that the mailbox is theirs, so the
        account that was never confirmed gives way, with its empty organization.

        Refused, and then nothing is written: when the invitation was used or withdrawn since,
        when another account claimed the address, or when the holder confirmed meanwhile. Of two
        acceptances of one invitation the second finds it gone.
        """
        org_id = invitation["org_id"]
        actions = [
            self._table.delete_action(
                **_invitation_key(org_id, invitation["id"]),
                condition="#token_hash = :token_hash",
                token_hash=invitation["token_hash"],
            ),
            self._new_user(user),
            self._new_member(user, invitation["role"]),
            *(
                self._owners(org_id, gained=True, lost=False)
                if invitation["role"] == "owner"
                else [
                    self._table.check_action(
                        f"ORG#{org_id}", "ORG", condition="attribute_exists(#pk)"
                    )
                ]
            ),
        ]
        if holder is None:
            actions.append(self._claim(address, user, condition="attribute_not_exists(#pk)"))
        else:
            old = holder["org_id"]
            actions += [
                self._claim(address, user, condition="#user_id = :holder", holder=holder["id"]),
                self._table.delete_action(
                    f"USER#{holder['id']}", "USER", condition="attribute_not_exists(#verified_at)"
                ),
                self._table.delete_action(f"ORG#{old}", "ORG"),
                self._table.delete_action(f"ORG#{old}", f"MEMBER#{holder['id']}"),
            ]
        try:
            transact(self._client, actions)
        except TransactionRefused:
            return False
        return True

    # ── Mail ────────────────────────────────────────────────────────────────────────────────────

    def claim_notice(self, org_id: str, key: str, claimant: str, expires_at: int) -> bool:
        """Claim a mail that is to be sent once; False when another has claimed it.

        Of two messages that ask for the same mail the first puts the claim. A message that is
        delivered again keeps its own claim, so a worker that died before sending is made up for.
        """
        try:
            self._table.put(
                {
                    "pk": f"ORG#{org_id}",
                    "sk": f"NOTICE#{key}",
                    "claimed_by": claimant,
                    "expires_at": expires_at,
                },
                condition="attribute_not_exists(#pk) OR #claimed_by = :claimant",
                claimant=claimant,
            )
        except ConditionFailed:
            return False
        return True

    def _claim(self, address: str, user: Item, *, condition: str, **values: Any) -> Action:
        return self._table.put_action(
            {
                "pk": f"EMAIL#{address}",
                "sk": "EMAIL",
                "user_id": user["id"],
                "org_id": user["org_id"],
                "created_at": user["created_at"],
            },
            condition=condition,
            **values,
        )

    def _new_user(self, user: Item) -> Action:
        return self._table.put_action(
            {"pk": f"USER#{user['id']}", "sk": "USER", "rev": 0, **user},
            condition="attribute_not_exists(#pk)",
        )

    def _new_member(self, user: Item, role: str) -> Action:
        return self._table.put_action(
            {
                "pk": f"ORG#{user['org_id']}",
                "sk": f"MEMBER#{user['id']}",
                "role": role,
                "joined_at": user["created_at"],
            },
            condition="attribute_not_exists(#pk)",
        )


class SuppressionStore:
    """Addresses that mail must not go to any more, named by their hashes.

    SUPPRESSED#<address hash>   SUPPRESSED   reason, at
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def suppress(self, addresses: Iterable[str], reason: str, now: int) -> None:
        """Stop mail to addresses. SNS delivers at least once; the second writes the same again."""
        for address in addresses:
            self._table.put(
                {"pk": f"SUPPRESSED#{address}", "sk": "SUPPRESSED", "reason": reason, "at": now}
            )

    def is_suppressed(self, address: str) -> bool:
        """Whether mail to an address has been stopped."""
        return self._table.get(f"SUPPRESSED#{address}", "SUPPRESSED") is not None


def _is_owner(member: Item) -> bool:
    return bool(member["role"] == "owner")


def _invitation_key(org_id: str, invitation_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"INVITE#{invitation_id}"}
