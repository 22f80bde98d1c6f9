"""People: their accounts, sign-ups, and the places they are known at.

    EMAIL#<address hash>   EMAIL              user_id, org_id: makes an address unique
    USER#<user_id>         USER               email, name, org_id, password_hash, verified_at, rev,
                                              pending, reset, totp, last_login_at
    USER#<user_id>         PLACE#<place id>   expires_at: a network this user logged in from
    SIGNUP#<random>        SIGNUP             email, password_hash, name, expires_at

`rev` grows with every change of a user's credentials, role or set of sessions. Every such change
names the `rev` it read: of two changes the second is refused and starts over with what the first
one left. So no login slips past a password change, and no session keeps a role that was just taken
away.

`pending` is a sign-up that awaits its mail; its password belongs to it, not to the account: see
docs/decisions/0006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from imagelayer.identity.organization_store import (
    invitation_key,
    member_key,
    organization_key,
    owner_count_actions,
    role_check,
)
from imagelayer.identity.records import (
    AddressReservation,
    Invitation,
    Member,
    Organization,
    PendingSignUp,
    Place,
    ResetLink,
    SignUp,
    User,
)
from imagelayer.platform.principals import Role
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    StoreUnavailable,
    Table,
    TransactionRefused,
    sweep_shard,
    transact,
)

# A sign-up that is not confirmed frees its address after this long.
UNCONFIRMED_SECONDS = 7 * 86_400
# Read in place of a user that does not exist, so that both cases take the same calls.
NOBODY = "usr_nobody"


class AccountStore:
    """Accounts."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table

    def get_user_by_address(self, address: str) -> User | None:
        """The user who holds an address (named by its hash), or None. Two reads either way."""
        reserved = self._table.get(**_address_key(address))
        return self.get_user(reserved["user_id"] if reserved else NOBODY)

    def get_user(self, user_id: str) -> User | None:
        """A user, or None."""
        return cast("User | None", self._table.get(**_user_key(user_id)))

    def create_account(
        self, user: User, organization: Organization, address: str
    ) -> AddressReservation | None:
        """Reserve the address and create user, organization and membership: all or nothing.

        Returns the reservation that exists already when there is one, else None.

        The reservation makes the address unique: it is the item's key. Of any number of racing
        sign-ups DynamoDB lets one put succeed; the others are canceled whole and leave nothing.
        """
        unconfirmed: User = {
            **user,
            "sweep_shard": sweep_shard(user["id"]),
            "sweep_at": user["created_at"] + UNCONFIRMED_SECONDS,
        }
        try:
            self.commit(
                [
                    self._reserve_address_action(
                        address, user, condition="attribute_not_exists(#pk)"
                    ),
                    self._new_user_action(unconfirmed),
                    self._table.put_action(
                        {**organization_key(organization["id"]), **organization},
                        condition="attribute_not_exists(#pk)",
                    ),
                    self._new_member_action(user, "owner"),
                ]
            )
        except TransactionRefused as refusal:
            reserved = refusal.items[0]
            if reserved is None:  # not a lost race for the address, so nothing we can name
                raise StoreUnavailable("transact_write_items", "no holder of the address") from None
            return cast("AddressReservation", reserved)
        return None

    def user_action(
        self, user: User, sets: Mapping[str, Any], removes: Sequence[str] = ()
    ) -> Action:
        """Change a user as it was read, inside a transaction.

        Refused when `rev` has grown since: the credentials, the role or the set of sessions were
        changed, and what was decided here may no longer be right.
        """
        changes = "".join(f", #{name} = :{name}" for name in sets)
        removed = f" REMOVE {', '.join(f'#{name}' for name in removes)}" if removes else ""
        return self._table.update_action(
            **_user_key(user["id"]),
            expression=f"SET #rev = #rev + :one{changes}{removed}",
            condition="#rev = :seen_rev",
            one=1,
            seen_rev=user["rev"],
            **sets,
        )

    def commit(self, actions: Sequence[Action]) -> None:
        """Do all or none. Raises TransactionRefused or StoreUnavailable."""
        transact(self._client, actions)

    def acknowledge(self, user_id: str, attribute: str) -> None:
        """Forget that the answer to a change may not have arrived (`registration.verify_email`)."""
        with suppress(ConditionFailed):  # the user was removed since
            self._table.update(
                **_user_key(user_id),
                expression=f"REMOVE #{attribute}",
                condition="attribute_exists(#pk)",
            )

    def acknowledge_code(self, user_id: str) -> None:
        """Spend the code of a login for good: its session is on its way."""
        with suppress(ConditionFailed):  # the second factor was removed since
            self._table.update(
                **_user_key(user_id),
                expression="SET #totp.#unacknowledged = :nothing",
                condition="attribute_exists(#totp)",
                nothing="",
            )

    def acknowledge_enrolment(self, user_id: str) -> None:
        """The recovery codes of a new second factor are on their way.

        A second factor that was removed since has nothing to acknowledge and is not brought back.
        """
        with suppress(ConditionFailed):
            self._table.update(
                **_user_key(user_id),
                expression="REMOVE #totp.#enrolled_by",
                condition="attribute_exists(#totp)",
            )

    def keep_sign_up(self, sign_up: SignUp) -> None:
        """Keep a sign-up until its mail is written. Its id is fresh: a repeat changes nothing."""
        self._table.put({**_sign_up_key(sign_up["id"]), **sign_up})

    def get_sign_up(self, sign_up_id: str, now: int) -> SignUp | None:
        """A sign-up whose mail is not written yet, or None."""
        found = self._table.get(**_sign_up_key(sign_up_id))
        return cast("SignUp", found) if found and found["expires_at"] > now else None

    def drop_sign_up(self, sign_up_id: str) -> None:
        """Forget a sign-up whose mail is out; its TTL is the backstop."""
        self._table.delete(**_sign_up_key(sign_up_id))

    def set_pending(self, user_id: str, pending: PendingSignUp, seen: PendingSignUp | None) -> bool:
        """Let a sign-up await its confirmation; False when another got in between.

        The condition names the pending sign-up as it was read, so that of two that arrive
        together each sees the other and `contested` is never lost. Also False once the address is
        verified.
        """
        same = "#pending = :seen" if seen else "attribute_not_exists(#pending)"
        values: dict[str, Any] = {"seen": seen} if seen else {}
        try:
            self._table.update(
                **_user_key(user_id),
                expression="SET #pending = :pending",
                condition=f"attribute_exists(#pk) AND attribute_not_exists(#verified_at) "
                f"AND {same}",
                pending=pending,
                **values,
            )
        except ConditionFailed as failure:
            # Our own write, repeated after its answer was lost.
            return (failure.item or {}).get("pending") == pending
        return True

    def verify_email(
        self, user: User, pending: PendingSignUp, sets: Mapping[str, Any], now: int
    ) -> bool:
        """Confirm the pending sign-up of a user as it was read; False when it is no longer that.

        One conditional update consumes the token and verifies the address, so a link works once:
        of two confirmations the second finds `pending` gone. `sets` names the token, so the SDK's
        repetition after a lost answer finds its own work and does not count as a second use.
        """
        changes = "".join(f", #{name} = :{name}" for name in sets)
        try:
            self._table.update(
                **_user_key(user["id"]),
                expression=f"SET #rev = #rev + :one, #verified_at = :now{changes} "
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

    def set_reset(self, user_id: str, reset: ResetLink) -> bool:
        """Let the newest reset link be the one that works; False for a user who is not verified."""
        try:
            self._table.update(
                **_user_key(user_id),
                expression="SET #reset = :reset",
                condition="attribute_exists(#verified_at)",
                reset=reset,
            )
        except ConditionFailed:
            return False
        return True

    def list_unconfirmed(self, shard: int, now: int) -> list[User]:
        """Users of one shard who have not confirmed their address in time."""
        return cast("list[User]", self._table.due(shard, now))

    def postpone(self, user: User, sweep_at: int) -> None:
        """Look at an unconfirmed user later: a newer sign-up may still be confirmed."""
        with suppress(ConditionFailed):  # confirmed, removed or postponed since
            self._table.update(
                **_user_key(user["id"]),
                expression="SET #sweep_at = :sweep_at",
                condition="#sweep_at = :seen",
                sweep_at=sweep_at,
                seen=user["sweep_at"],
            )

    def drop_unconfirmed(self, user: User, address: str, now: int) -> bool:
        """Remove a user who never confirmed, with the reserved address and the empty organization:
        all or nothing. False when the address was confirmed or signed up for again since, or when
        another sweep was first.

        `verified_at` loses to a confirmation, `sweep_at` to a newer sign-up or another sweep that
        moved it, `pending` to a sign-up whose link still works.
        """
        try:
            self.commit(
                [
                    self._table.delete_action(
                        **_user_key(user["id"]),
                        condition="attribute_not_exists(#verified_at) AND #sweep_at = :seen "
                        "AND (attribute_not_exists(#pending) OR #pending.#expires_at <= :now)",
                        seen=user["sweep_at"],
                        now=now,
                    ),
                    self._table.delete_action(
                        **_address_key(address), condition="#user_id = :id", id=user["id"]
                    ),
                    *self._empty_organization_actions(user),
                ]
            )
        except TransactionRefused:
            return False
        return True

    def get_place(self, user_id: str, place_id: str, now: int) -> Place | None:
        """A place this user is known at, or None."""
        found = self._table.get(f"USER#{user_id}", f"PLACE#{place_id}")
        return cast("Place", found) if found and found["expires_at"] > now else None

    def remember_place(self, user_id: str, place_id: str, expires_at: int) -> None:
        """Know a user at a place until `expires_at`."""
        self._table.put(
            {"pk": f"USER#{user_id}", "sk": f"PLACE#{place_id}", "expires_at": expires_at}
        )

    def forget_places(self, user_id: str) -> None:
        """Forget where a removed user logged in from; the TTL is the backstop."""
        for item in self._table.query(f"USER#{user_id}", prefix="PLACE#"):
            self._table.delete(item["pk"], item["sk"])

    def removal_actions(self, member: Member, user: User, address: str) -> list[Action]:
        """Remove a membership and the account that belongs to it, inside a transaction.

        Refused when the role is no longer as it was read, when no other owner is left, and when
        the user was changed since.
        """
        return [
            self._table.delete_action(
                **member_key(member["org_id"], member["user_id"]),
                condition="#role = :seen",
                seen=member["role"],
            ),
            *owner_count_actions(
                self._table, member["org_id"], gained=False, lost=member["role"] == "owner"
            ),
            self._table.delete_action(
                **_user_key(user["id"]), condition="#rev = :seen_rev", seen_rev=user["rev"]
            ),
            self._table.delete_action(
                **_address_key(address), condition="#user_id = :user_id", user_id=user["id"]
            ),
        ]

    def accept_invitation(
        self,
        invitation: Invitation,
        user: User,
        address: str,
        holder: User | None,
        managers: Sequence[Role],
    ) -> bool:
        """Turn an invitation into a user and a membership: all or nothing.

        `holder` is an unverified account at the address, or None: a sign-up with it that was never
        confirmed. An invitation's link shows that its holder reads the mailbox, so the unconfirmed
        account gives way, with its empty organization.

        An invitation has the authority of the member who sent it, now and not when it was sent:
        they must still be a member with one of the roles `managers`.

        False, and then nothing is written, when the invitation was used or withdrawn since, when
        its sender was removed or lost the role, when another account reserved the address, or when
        the holder confirmed. Of two acceptances of one invitation the second finds it gone; of an
        acceptance and the removal of its sender, an acceptance that comes first holds.
        """
        org_id = invitation["org_id"]
        actions = [
            self._table.delete_action(
                **invitation_key(org_id, invitation["id"]),
                condition="#token_hash = :token_hash",
                token_hash=invitation.get("token_hash"),
            ),
            role_check(self._table, org_id, invitation["invited_by"], managers),
            self._new_user_action(user),
            self._new_member_action(user, invitation["role"]),
            *(
                owner_count_actions(self._table, org_id, gained=True, lost=False)
                if invitation["role"] == "owner"
                else [
                    self._table.check_action(
                        **organization_key(org_id), condition="attribute_exists(#pk)"
                    )
                ]
            ),
        ]
        if holder is None:
            actions.append(
                self._reserve_address_action(address, user, condition="attribute_not_exists(#pk)")
            )
        else:
            actions += [
                self._reserve_address_action(
                    address, user, condition="#user_id = :holder", holder=holder["id"]
                ),
                self._table.delete_action(
                    **_user_key(holder["id"]), condition="attribute_not_exists(#verified_at)"
                ),
                *self._empty_organization_actions(holder),
            ]
        try:
            self.commit(actions)
        except TransactionRefused:
            return False
        return True

    def _reserve_address_action(
        self, address: str, user: User, *, condition: str, **values: Any
    ) -> Action:
        reserved: AddressReservation = {
            "user_id": user["id"],
            "org_id": user["org_id"],
            "created_at": user["created_at"],
        }
        return self._table.put_action(
            {**_address_key(address), **reserved}, condition=condition, **values
        )

    def _new_user_action(self, user: User) -> Action:
        return self._table.put_action(
            {**_user_key(user["id"]), **user}, condition="attribute_not_exists(#pk)"
        )

    def _new_member_action(self, user: User, role: Role) -> Action:
        return self._table.put_action(
            {
                **member_key(user["org_id"], user["id"]),
                "role": role,
                "joined_at": user["created_at"],
            },
            condition="attribute_not_exists(#pk)",
        )

    def _empty_organization_actions(self, user: User) -> list[Action]:
        """Delete the organization of a user who never confirmed. Unconditional: the condition on
        the user, in the same transaction, decides for all of it."""
        return [
            self._table.delete_action(**organization_key(user["org_id"])),
            self._table.delete_action(**member_key(user["org_id"], user["id"])),
        ]


def _user_key(user_id: str) -> dict[str, str]:
    return {"pk": f"USER#{user_id}", "sk": "USER"}


def _address_key(address: str) -> dict[str, str]:
    return {"pk": f"EMAIL#{address}", "sk": "EMAIL"}


def _sign_up_key(sign_up_id: str) -> dict[str, str]:
    return {"pk": f"SIGNUP#{sign_up_id}", "sk": "SIGNUP"}
