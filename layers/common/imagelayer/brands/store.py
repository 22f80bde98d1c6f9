"""Brands and the files uploaded for them.

ORG#<org_id>   BRAND#<brand_id>                  name, palette, …, version, logos: {kind: …}
ORG#<org_id>   UPLOAD#<brand_id>#<upload_id>     kind, status, reason, expires_at unless in use
ORG#<org_id>   BRANDS                            count
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Table,
    TransactionRefused,
    try_transact,
)

if TYPE_CHECKING:
    from imagelayer.brands.records import BrandRecord, LogoRecord, UploadRecord


MAX_BRANDS = 100  # of an organization
UPLOAD_SECONDS = 86_400  # how long one that is pending or rejected is known


class TooManyBrands(Exception):
    """The organization has as many brands as it can have."""


class BrandStore:
    """Brands of an organization; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self._idempotency = IdempotencyStore(client, table)

    def create_brand(
        self, brand: BrandRecord, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write a new brand. Returns the ids an earlier request with the same idempotency key
        created, else None. Raises TooManyBrands.

        The organization's counter moves in the same transaction, so of any number of racing
        requests exactly as many create a brand as are left; the others are refused by its `count`.
        """
        key = _brand_key(brand["org_id"], brand["id"])
        actions = [
            self._table.put_action({**key, **brand}, condition="attribute_not_exists(#pk)"),
            self._table.count_up_action(key["pk"], "BRANDS", most=MAX_BRANDS),
        ]
        try:
            return self._idempotency.commit(actions, record)
        except TransactionRefused:
            raise TooManyBrands from None

    def get_brand(self, org_id: str, brand_id: str) -> BrandRecord | None:
        """A brand, or None."""
        return cast("BrandRecord | None", self._table.get(**_brand_key(org_id, brand_id)))

    def list_brands(self, org_id: str, *, limit: int, after: str | None) -> list[BrandRecord]:
        """Brands in order of creation, past `after`."""
        found = self._table.query(
            f"ORG#{org_id}", prefix="BRAND#", limit=limit, after=f"BRAND#{after}" if after else None
        )
        return cast("list[BrandRecord]", found)

    def update_brand(
        self, org_id: str, brand_id: str, fields: Mapping[str, Any], now: int
    ) -> BrandRecord | None:
        """Set fields and raise the version; None when there is no such brand.

        Concurrent changes of different fields both stay; of the same field the last one stays. A
        change that loses to a deletion does not bring the brand back.
        """
        settings = "".join(f", #{name} = :{name}" for name in fields)
        try:
            updated = self._table.update(
                **_brand_key(org_id, brand_id),
                expression=f"SET #version = #version + :one, #updated_at = :now{settings}",
                condition="attribute_exists(#pk)",
                one=1,
                now=now,
                **fields,
            )
        except ConditionFailed:
            return None
        return cast("BrandRecord", updated)

    def delete_brand(self, org_id: str, brand_id: str) -> bool:
        """Delete a brand and count one less; False when there is none. Of two deletions one returns
        True, and the other's condition, that the brand exists, keeps it from counting again."""
        key = _brand_key(org_id, brand_id)
        return try_transact(
            self._client,
            [
                self._table.delete_action(**key, condition="attribute_exists(#pk)"),
                self._table.count_down_action(key["pk"], "BRANDS"),
            ],
        )

    def current_check(self, org_id: str, brand_id: str, version: int) -> Action:
        """A transaction's condition that the brand still has this version. One that was changed or
        deleted refuses, and the refusal returns the current brand."""
        return self._table.check_action(
            **_brand_key(org_id, brand_id), condition="#version = :version", version=version
        )

    def create_upload(
        self, upload: UploadRecord, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write a pending upload. Returns as `create_brand`."""
        return self._idempotency.create({**_upload_key_of(upload), **upload}, record)

    def get_upload(self, org_id: str, brand_id: str, upload_id: str) -> UploadRecord | None:
        """An upload, or None."""
        found = self._table.get(**_upload_key(org_id, brand_id, upload_id))
        return cast("UploadRecord | None", found)

    def list_uploads(self, org_id: str, brand_id: str) -> list[UploadRecord]:
        """All uploads of a brand."""
        found = self._table.query(f"ORG#{org_id}", prefix=f"UPLOAD#{brand_id}#")
        return cast("list[UploadRecord]", found)

    def delete_upload(self, upload: UploadRecord) -> None:
        """Forget an upload."""
        self._table.delete(**_upload_key_of(upload))

    def expire_upload(self, sibling: UploadRecord, upload_id: str, now: int) -> None:
        """Let another upload of the same brand expire, unless it went with its brand."""
        try:
            self._table.update(
                **_upload_key(sibling["org_id"], sibling["brand_id"], upload_id),
                expression="SET #expires_at = :now",
                condition="attribute_exists(#pk)",
                now=now,
            )
        except ConditionFailed:
            return

    def accept_upload(self, upload: UploadRecord, logo: LogoRecord, now: int) -> bool:
        """Mark an upload ready and put the logo on its brand, both or neither.

        S3 may deliver one event twice: the second finds the upload no longer pending and is
        refused, so the brand's version grows once. A deleted brand refuses as well.
        The brand must have the logo that `logo` replaces, or none where it replaces none: of two
        files that arrive at once one is refused, and reads again what it replaces.
        """
        key = _upload_key_of(upload)
        place, replaced = f"#logos.#{upload['kind']}", logo.get("replaced")
        seen: dict[str, Any] = {"replaced": replaced["upload_id"]} if replaced else {}
        same = f"{place}.#upload_id = :replaced" if replaced else f"attribute_not_exists({place})"
        return try_transact(
            self._client,
            [
                self._table.update_action(
                    **key,
                    expression="SET #status = :ready REMOVE #expires_at",
                    condition="#status = :pending",
                    ready="ready",
                    pending="pending",
                ),
                self._table.update_action(
                    **_brand_key(upload["org_id"], upload["brand_id"]),
                    expression=f"SET {place} = :logo, "
                    "#version = #version + :one, #updated_at = :now",
                    condition=f"attribute_exists(#pk) AND {same}",
                    logo=logo,
                    one=1,
                    now=now,
                    **seen,
                ),
            ],
        )

    def reject_upload(self, upload: UploadRecord, reason: str) -> None:
        """Record why a pending upload is not used. It is forgotten when it would have expired."""
        try:
            self._table.update(
                **_upload_key_of(upload),
                expression="SET #status = :rejected, #reason = :reason",
                condition="#status = :pending",
                rejected="rejected",
                reason=reason,
                pending="pending",
            )
        except ConditionFailed:
            return  # another delivery of the same event was first


def _brand_key(org_id: str, brand_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"BRAND#{brand_id}"}


def _upload_key(org_id: str, brand_id: str, upload_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"UPLOAD#{brand_id}#{upload_id}"}


def _upload_key_of(upload: UploadRecord) -> dict[str, str]:
    return _upload_key(upload["org_id"], upload["brand_id"], upload["id"])
