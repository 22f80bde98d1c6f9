"""People: their accounts, sign-ups, and the places they are known at.

    EMAIL#<address hash>   EMAIL              user_id, org_id: makes an address unique
    USER#<user_id>         USER               email, name, org_id, password_hash, verified_at, rev,
                                              reset, totp, last_login_at
    USER#<user_id>         PLACE#<place id>   expires_at: a network this user logged in from
    SIGNUP#<address hash>  SIGNUP             email, link, expires_at: awaits its confirmation

`rev` grows with every change of a user's credentials, role or set of sessions. Every such change
names the `rev` it read: of two changes the second is refused and starts over with what the first
one left. So no login slips past a password change, and no session keeps a role that was just taken
away.

A sign-up holds no password and no name, and there is no user before its confirmation: see
docs/decisions/0006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from imagelayer.identity.organization_store import (
    invitation_key,
    member_key,
    organization_key,
    owner_count_actions,
    role_check,
)
from imagelayer.platform.principals import Role
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Table,
    TransactionRefused,
    transact,
)

if TYPE_CHECKING:
    from imagelayer.identity.records import (
        AddressReservation,
        Invitation,
        MailedLink,
        Member,
        Organization,
        Place,
        SignUp,
        User,
    )

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

    def confirm_sign_up(
        self, link: MailedLink, user: User, organization: Organization, address: str, now: int
    ) -> bool:
        """Turn a sign-up into a user and an organization: all or nothing.

        False, and then nothing is written, when the address is not as it was read:

        - `link` was used, or a newer mail replaced it: of two confirmations with one link, and of a
          confirmation and a new mail, the second to commit loses.
        - `link` has expired.
        - The address is reserved: an accepted invitation made an account of it first. The
          reservation makes an address unique: it is the item's key.
        """
        try:
            self.commit(
                [
                    self._table.delete_action(
                        **_sign_up_key(address),
                        condition="#link.#token_hash = :token_hash AND #link.#expires_at > :now",
                        token_hash=link["token_hash"],
                        now=now,
                    ),
                    *self.creation_actions(user, organization, address),
                ]
            )
        except TransactionRefused:
            return False
        return True

    def creation_actions(
        self, user: User, organization: Organization, address: str
    ) -> list[Action]:
        """A new user who owns a new organization, inside a transaction; refused when the address
        is reserved."""
        return [
            self._reserve_address_action(address, user),
            self._new_user_action(user),
            self._table.put_action(
                {**organization_key(organization["id"]), **organization},
                condition="attribute_not_exists(#pk)",
            ),
            self._new_member_action(user, "owner"),
        ]

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

    def keep_sign_up(self, email: str, address: str, expires_at: int) -> None:
        """Let an address await its confirmation until `expires_at`.

        Unconditional: whether the address has an account, or a sign-up already, changes nothing
        here. The link of an earlier mail stays, because it leads to the same mailbox and the mail
        that replaces it may never be sent.
        """
        self._table.update(
            **_sign_up_key(address),
            expression="SET #email = :email, #expires_at = :expires_at",
            email=email,
            expires_at=expires_at,
        )

    def get_sign_up(self, address: str, now: int) -> SignUp | None:
        """The sign-up that awaits confirmation at an address, or None."""
        found = self._table.get(**_sign_up_key(address))
        return cast("SignUp", found) if found and found["expires_at"] > now else None

    def set_sign_up_link(self, address: str, link: MailedLink, expires_at: int) -> bool:
        """Let the newest mail's link be the one that works, and keep the sign-up until
        `expires_at`; False when the sign-up was confirmed or has expired since.

        A confirmation that commits first has deleted the item, and this must not bring it back.
        """
        try:
            self._table.update(
                **_sign_up_key(address),
                expression="SET #link = :link, #expires_at = :expires_at",
                condition="attribute_exists(#pk)",
                link=link,
                expires_at=expires_at,
            )
        except ConditionFailed:
            return False
        return True

    def set_reset(self, user_id: str, reset: MailedLink) -> bool:
        """Let the newest reset link be the one that works; False for a user who was removed."""
        try:
            self._table.update(
                **_user_key(user_id),
                expression="SET #reset = :reset",
                condition="attribute_exists(#pk)",
                reset=reset,
            )
        except ConditionFailed:
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
        self, invitation: Invitation, user: User, address: str, managers: Sequence[Role]
    ) -> bool:
        """Turn an invitation into a user and a membership: all or nothing.

        An invitation has the authority of the member who sent it, now and not when it was sent:
        they must still be a member with one of the roles `managers`.

        False, and then nothing is written, when the invitation was used or withdrawn since, when
        its sender was removed or lost the role, or when another account reserved the address. Of
        two acceptances of one invitation the second finds it gone; of an acceptance and the removal
        of its sender, an acceptance that comes first holds.
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
            self._reserve_address_action(address, user),
        ]
        try:
            self.commit(actions)
        except TransactionRefused:
            return False
        return True

    def _reserve_address_action(self, address: str, user: User) -> Action:
        reserved: AddressReservation = {
            "user_id": user["id"],
            "org_id": user["org_id"],
            "created_at": user["created_at"],
        }
        return self._table.put_action(
            {**_address_key(address), **reserved}, condition="attribute_not_exists(#pk)"
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


def _user_key(user_id: str) -> dict[str, str]:
    return {"pk": f"USER#{user_id}", "sk": "USER"}


def _address_key(address: str) -> dict[str, str]:
    return {"pk": f"EMAIL#{address}", "sk": "EMAIL"}


def _sign_up_key(address: str) -> dict[str, str]:
    return {"pk": f"SIGNUP#{address}", "sk": "SIGNUP"}
