"""An organization, its members and who they are."""

from __future__ import annotations

import pytest

from imagelayer.access.permissions import ROLE_SCOPES
from tests.support import accounts, organizations
from tests.support.api import PASSWORD, Account, bearer
from tests.support.product import Product


def test_an_organization_is_read_by_every_one_of_its_members(
    product: Product, owner: Account
) -> None:
    expected = {
        "id": owner.org_id,
        "name": "Solstice Coffee",
        "owners_need_second_factor": False,
    }
    for role in ROLE_SCOPES:
        member = accounts.join(product, owner, f"{role}@example.com", role)
        answer = product.call("GET", organizations.ORGANIZATION, headers=member.headers)
        assert answer.status == 200
        assert {name: answer.json[name] for name in expected} == expected


def test_a_new_name_is_everywhere_and_the_rest_stays(product: Product, owner: Account) -> None:
    before = product.call("GET", organizations.ORGANIZATION, headers=owner.headers).json
    answer = organizations.change(product, owner, name="Solstice Roasters")
    assert (answer.status, answer.json) == (200, {**before, "name": "Solstice Roasters"})
    assert (
        product.call("GET", organizations.ORGANIZATION, headers=owner.headers).json == answer.json
    )
    me = product.call("GET", "/v1/auth/me", headers=owner.headers).json
    assert me["organization"]["name"] == "Solstice Roasters"
    (event,) = product.security_events("organization.changed")
    assert (event["org_id"], event["actor"], event["reason"]) == (
        owner.org_id,
        owner.user_id,
        "name",
    )
    assert accounts.is_logged_in(product, owner.token)


def test_a_change_of_nothing_changes_nothing(product: Product, owner: Account) -> None:
    before = product.dump_of("AccountsTable")
    assert organizations.change(product, owner).status == 200
    assert product.dump_of("AccountsTable") == before
    assert product.security_events("organization.changed") == []


def test_members_are_listed_with_role_and_second_factor_in_the_order_they_came(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "viewer")
    accounts.enrol(product, friend)
    rows = organizations.listed(product, friend, organizations.MEMBERS)
    assert [
        (row["id"], row["email"], row["name"], row["role"], row["two_factor_enabled"])
        for row in rows
    ] == [
        (owner.user_id, "dev@example.com", "Dev Eloper", "owner", False),
        (friend.user_id, "friend@example.com", "Fri Endly", "viewer", True),
    ]


def test_members_are_listed_in_pages_without_gaps(product: Product, owner: Account) -> None:
    emails = [f"member-{number}@example.com" for number in range(4)]
    for email in emails:
        accounts.join(product, owner, email)
    pages = organizations.paged(product, owner, organizations.MEMBERS, 2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row["email"] for page in pages for row in page] == [owner.email, *emails]


@pytest.mark.promise("security-logged")
def test_another_role_counts_from_the_next_login_on_and_is_reported(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "viewer")
    answer = organizations.give_role(product, owner, friend.user_id, "developer")
    assert answer.status == 200
    assert (answer.json["id"], answer.json["role"]) == (friend.user_id, "developer")
    assert organizations.roles(product, owner)[friend.email] == "developer"
    again = organizations.log_in_again(product, friend)
    assert product.call("GET", "/v1/auth/me", headers=again.headers).json["role"] == "developer"
    assert product.key(again, "assets:read")
    (event,) = product.security_events("member.role_changed")
    assert (event["actor"], event["reason"]) == (owner.user_id, f"{friend.user_id} developer")


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize(
    ("before", "after"),
    [("admin", "viewer"), ("viewer", "admin"), ("developer", "owner"), ("owner", "developer")],
)
def test_another_role_ends_every_session_of_the_old_one_at_once(
    product: Product, owner: Account, before: str, after: str
) -> None:
    friend = accounts.join(product, owner, "friend@example.com", before)
    second = organizations.log_in_again(product, friend)
    assert organizations.give_role(product, owner, friend.user_id, after).status == 200
    assert organizations.is_out(product, friend)
    assert organizations.is_out(product, second)
    assert accounts.is_logged_in(product, owner.token)
    assert accounts.sessions_of(product, friend.user_id) == []


def test_the_role_that_someone_has_already_ends_nothing(product: Product, owner: Account) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "developer")
    answer = organizations.give_role(product, owner, friend.user_id, "developer")
    assert (answer.status, answer.json["email"]) == (200, friend.email)
    assert accounts.is_logged_in(product, friend.token)
    assert product.security_events("member.role_changed") == []


@pytest.mark.promise("org-scoped")
def test_who_is_removed_is_out_at_once_and_nothing_of_them_is_left(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com")
    before = len(product.items("AccountsTable"))
    assert organizations.remove(product, owner, friend.user_id).status == 200
    assert organizations.is_out(product, friend)
    assert organizations.roles(product, owner) == {owner.email: "owner"}
    left = [
        item
        for table in ("AccountsTable", "SessionsTable")
        for item in product.items(table)
        if friend.user_id in str(item)
    ]
    assert left == []
    # User, reservation of the address, membership, and the place of the login.
    assert len(product.items("AccountsTable")) == before - 4
    (event,) = product.security_events("member.removed")
    assert (event["org_id"], event["actor"], event["reason"]) == (
        owner.org_id,
        owner.user_id,
        friend.user_id,
    )


def test_who_was_removed_logs_in_like_someone_who_never_was(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com")
    organizations.remove(product, owner, friend.user_id)
    answers = [
        product.call(
            "POST",
            "/v1/auth/login",
            body={"email": email, "password": PASSWORD},
            request_id="req-same",
        )
        for email in (friend.email, "nobody@example.com")
    ]
    assert [each.status for each in answers] == [401, 401]
    assert answers[0].text == answers[1].text


def test_who_is_removed_is_answered_with_the_keys_and_webhooks_they_leave_behind(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "developer")
    made = product.key(friend, "assets:read", "webhooks:write", name="Theirs")
    others, rotated = product.key(owner, "assets:read"), product.key(owner, "assets:read")
    path = f"/v1/keys/{rotated['id']}/rotate"
    assert product.call("POST", path, headers=friend.headers, body={}).status == 201
    webhook = product.webhook(friend, description="CI")
    product.webhook(owner)
    by_key = product.call(
        "POST",
        "/v1/organization/webhooks",
        headers=bearer(made),
        body={"url": "https://hooks.example.com/2"},
    ).json
    removed = organizations.remove(product, owner, friend.user_id)
    assert removed.status == 200
    assert removed.json == {
        "id": friend.user_id,
        "keys": [
            {"id": made["id"], "name": "Theirs", "mode": "live", "enabled": True},
            {"id": rotated["id"], "name": "test key", "mode": "live", "enabled": True},
        ],
        "webhooks": [
            {"id": webhook["id"], "description": "CI", "enabled": True},
            {"id": by_key["id"], "description": "", "enabled": True},
        ],
    }
    rows = organizations.listed(product, owner, "/v1/keys")
    assert {row["id"]: row["created_by"] for row in rows} == {
        made["id"]: friend.user_id,
        others["id"]: owner.user_id,
        rotated["id"]: owner.user_id,
    }
    rows = organizations.listed(product, owner, "/v1/organization/webhooks")
    makers = [row["created_by"] for row in rows]
    assert makers == [friend.user_id, owner.user_id, made["id"]]


def test_who_made_nothing_leaves_nothing_behind(product: Product, owner: Account) -> None:
    product.key(owner, "assets:read")
    product.webhook(owner)
    friend = accounts.join(product, owner, "friend@example.com", "viewer")
    left = organizations.remove(product, friend, friend.user_id)
    assert (left.status, left.json) == (200, {"id": friend.user_id, "keys": [], "webhooks": []})


def test_what_a_removed_member_made_is_the_organizations_and_stays(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com")
    key, brand = product.key(friend, "brands:read"), product.brand(friend)
    organizations.remove(product, owner, friend.user_id)
    answer = product.call("GET", f"/v1/brands/{brand['id']}", headers=bearer(key))
    assert answer.status == 200
    assert [row["id"] for row in organizations.listed(product, owner, "/v1/keys")] == [key["id"]]


def test_who_was_removed_may_sign_up_again_and_finds_nothing_of_the_old_organization(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com")
    brand = product.brand(friend)
    organizations.remove(product, owner, friend.user_id)
    again = product.account("friend@example.com")
    assert again.org_id != owner.org_id
    assert again.user_id != friend.user_id
    path = f"/v1/brands/{brand['id']}"
    assert product.call("GET", path, headers=again.headers).status == 404
    assert organizations.owners(product, again.org_id) == (1, 1)


def test_who_was_removed_may_be_invited_again(product: Product, owner: Account) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "admin")
    organizations.remove(product, owner, friend.user_id)
    again = accounts.join(product, owner, "friend@example.com", "viewer")
    assert again.org_id == owner.org_id
    assert organizations.roles(product, owner)["friend@example.com"] == "viewer"


@pytest.mark.parametrize("role", [role for role in ROLE_SCOPES if role != "owner"])
def test_anybody_may_leave(product: Product, owner: Account, role: str) -> None:
    friend = accounts.join(product, owner, "friend@example.com", role)
    assert organizations.remove(product, friend, friend.user_id).status == 200
    assert organizations.is_out(product, friend)
    assert organizations.roles(product, owner) == {owner.email: "owner"}
    (event,) = product.security_events("member.removed")
    assert (event["actor"], event["reason"]) == (friend.user_id, friend.user_id)


@pytest.mark.parametrize("how", ["leave", "step down"])
def test_an_owner_may_go_once_another_member_is_an_owner(
    product: Product, owner: Account, how: str
) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "admin")
    assert organizations.give_role(product, owner, friend.user_id, "owner").status == 200
    assert organizations.owners(product, owner.org_id) == (2, 2)
    if how == "leave":
        assert organizations.remove(product, owner, owner.user_id).status == 200
    else:
        assert organizations.give_role(product, owner, owner.user_id, "viewer").status == 200
    assert organizations.is_out(product, owner)
    assert organizations.owners(product, owner.org_id) == (1, 1)
    last = organizations.log_in_again(product, friend)
    refused = organizations.remove(product, last, last.user_id)
    assert (refused.status, refused.json["code"]) == (409, "last_owner")


def test_owners_are_counted_right_through_every_way_of_becoming_one_and_ceasing_to_be(
    product: Product, owner: Account
) -> None:
    invited = accounts.join(product, owner, "invited@example.com", "owner")
    assert organizations.owners(product, owner.org_id) == (2, 2)
    raised = accounts.join(product, owner, "raised@example.com", "viewer")
    organizations.give_role(product, owner, raised.user_id, "owner")
    assert organizations.owners(product, owner.org_id) == (3, 3)
    organizations.give_role(product, owner, raised.user_id, "owner")
    assert organizations.owners(product, owner.org_id) == (3, 3)
    organizations.give_role(product, owner, raised.user_id, "admin")
    organizations.give_role(product, owner, raised.user_id, "viewer")
    assert organizations.owners(product, owner.org_id) == (2, 2)
    organizations.remove(product, owner, raised.user_id)
    organizations.remove(product, owner, invited.user_id)
    assert organizations.owners(product, owner.org_id) == (1, 1)


def asking(product: Product, owner: Account) -> accounts.Authenticator:
    """The owner sets a second factor up and requires one of all owners."""
    app = accounts.enrol(product, owner)
    answer = organizations.change(product, owner, owners_need_second_factor=True)
    assert (answer.status, answer.json["owners_need_second_factor"]) == (200, True)
    return app


def test_from_then_on_no_session_of_an_owner_without_a_second_factor_goes_on(
    product: Product, owner: Account
) -> None:
    other = accounts.join(product, owner, "other-owner@example.com", "owner")
    secured = accounts.join(product, owner, "secured-owner@example.com", "owner")
    accounts.enrol(product, secured)
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    asking(product, owner)
    assert organizations.is_out(product, other)
    for account in (owner, secured, admin):
        assert accounts.is_logged_in(product, account.token)


def test_an_owner_without_one_may_then_do_nothing_but_set_it_up_or_leave(
    product: Product, owner: Account
) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    third = accounts.join(product, owner, "third@example.com", "viewer")
    asking(product, owner)
    login = accounts.log_in(product, "other-owner@example.com")
    assert login.json["second_factor_required"] is True
    other = accounts.account_of("other-owner@example.com", login)
    before = product.counts()
    for refused in (
        product.call("GET", organizations.ORGANIZATION, headers=other.headers),
        product.call("GET", "/v1/keys", headers=other.headers),
        organizations.change(product, other, owners_need_second_factor=False),
        organizations.invite(product, other, "another@example.com"),
        organizations.give_role(product, other, third.user_id, "admin"),
        organizations.remove(product, other, third.user_id),
        organizations.remove(product, other, owner.user_id),
    ):
        assert (refused.status, refused.json["code"]) == (403, "second_factor_required")
    assert product.counts() == before
    assert organizations.roles(product, owner)["third@example.com"] == "viewer"
    accounts.enrol(product, other)
    assert product.call("GET", organizations.ORGANIZATION, headers=other.headers).status == 200
    assert organizations.remove(product, other, third.user_id).status == 200


def test_an_owner_without_one_may_still_leave(product: Product, owner: Account) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    asking(product, owner)
    login = accounts.log_in(product, "other-owner@example.com")
    other = accounts.account_of("other-owner@example.com", login)
    assert organizations.remove(product, other, other.user_id).status == 200
    assert organizations.owners(product, owner.org_id) == (1, 1)


def test_who_becomes_an_owner_afterwards_is_asked_as_well(product: Product, owner: Account) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "admin")
    asking(product, owner)
    assert accounts.log_in(product, friend.email).json["second_factor_required"] is False
    organizations.give_role(product, owner, friend.user_id, "owner")
    assert accounts.log_in(product, friend.email).json["second_factor_required"] is True


def test_owners_may_stop_asking(product: Product, owner: Account) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    asking(product, owner)
    assert organizations.change(product, owner, owners_need_second_factor=False).status == 200
    login = accounts.log_in(product, "other-owner@example.com")
    assert login.json["second_factor_required"] is False
    events = product.security_events("organization.changed")
    assert [event["reason"] for event in events] == ["owners_need_second_factor"] * 2


@pytest.mark.promise("security-logged")
def test_an_invitation_waits_until_it_is_answered(product: Product, owner: Account) -> None:
    answer = organizations.invite(product, owner, "Friend@Example.com", "developer")
    assert answer.status == 201
    invitation = answer.json
    assert (invitation["email"], invitation["role"], invitation["invited_by"]) == (
        "friend@example.com",
        "developer",
        owner.user_id,
    )
    assert organizations.listed(product, owner, organizations.INVITATIONS) == [invitation]
    (event,) = product.security_events("member.invited")
    assert event["reason"] == f"{invitation['id']} developer"
    assert accounts.accept(product, product.newest_token()).status == 200
    assert organizations.listed(product, owner, organizations.INVITATIONS) == []
    assert organizations.roles(product, owner)["friend@example.com"] == "developer"


def test_an_invitation_is_answered_alike_whether_or_not_the_address_has_an_account(
    product: Product, owner: Account, stranger: Account
) -> None:
    answers = [
        organizations.invite(product, owner, email)
        for email in (stranger.email, "nobody@example.com", owner.email)
    ]
    assert [each.status for each in answers] == [201, 201, 201]
    shapes = [
        {name: value for name, value in each.json.items() if name not in {"id", "email"}}
        for each in answers
    ]
    assert shapes[0].keys() == shapes[1].keys() == shapes[2].keys()
    assert len(organizations.listed(product, owner, organizations.INVITATIONS)) == 3


def test_a_withdrawn_invitation_is_dead_at_once(product: Product, owner: Account) -> None:
    invitation = organizations.invite(product, owner, "friend@example.com").json
    token = product.newest_token()
    assert organizations.withdraw(product, owner, invitation["id"]).status == 204
    assert organizations.listed(product, owner, organizations.INVITATIONS) == []
    refused = accounts.accept(product, token)
    assert (refused.status, refused.json["code"]) == (400, "invalid_token")
    assert organizations.roles(product, owner) == {owner.email: "owner"}
    (event,) = product.security_events("member.invitation_withdrawn")
    assert event["reason"] == invitation["id"]
    assert organizations.withdraw(product, owner, invitation["id"]).status == 404


def test_an_invitation_that_ran_out_is_neither_listed_nor_good(
    product: Product, owner: Account
) -> None:
    organizations.invite(product, owner, "friend@example.com")
    token = product.newest_token()
    item = product.item("AccountsTable", "INVITE#")
    assert item["expires_at"] - item["created_at"] == 7 * 86_400
    product.edit("AccountsTable", item, expires_at=item["created_at"])
    assert organizations.listed(product, owner, organizations.INVITATIONS) == []
    assert accounts.accept(product, token).status == 400
    assert organizations.withdraw(product, owner, item["id"]).status == 204


def test_invitations_are_listed_in_pages_without_gaps(product: Product, owner: Account) -> None:
    made = [
        organizations.invite(product, owner, f"guest-{n}@example.com").json["id"] for n in range(5)
    ]
    pages = organizations.paged(product, owner, organizations.INVITATIONS, 2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row["id"] for page in pages for row in page] == sorted(made)


def test_an_admin_may_withdraw_whom_an_admin_may_invite(product: Product, owner: Account) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    invitation = organizations.invite(product, owner, "friend@example.com", "admin").json
    assert organizations.withdraw(product, admin, invitation["id"]).status == 204
