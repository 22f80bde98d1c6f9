"""Brands and the files uploaded for them.

ORG#<org_id>   BRAND#<brand_id>                  name, palette, …, version, logos: {kind: …}
ORG#<org_id>   UPLOAD#<brand_id>#<upload_id>     kind, status, reason, expires_at while pending
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Table,
    try_transact,
)

if TYPE_CHECKING:
    from imagelayer.brands.records import BrandRecord, LogoRecord, UploadRecord


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
        created, else None."""
        item = {**_brand_key(brand["org_id"], brand["id"]), **brand}
        return self._idempotency.create(item, record)

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
        """Delete a brand; False when there is none. Of two deletions one returns True."""
        try:
            self._table.delete(**_brand_key(org_id, brand_id), condition="attribute_exists(#pk)")
        except ConditionFailed:
            return False
        return True

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

    def accept_upload(self, upload: UploadRecord, logo: LogoRecord, now: int) -> bool:
        """Mark an upload ready and put the logo on its brand, both or neither.

        S3 may deliver one event twice: the second finds the upload no longer pending and is
        refused, so the brand's version grows once. A deleted brand refuses as well.
        """
        key = _upload_key_of(upload)
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
                    expression=f"SET #logos.#{upload['kind']} = :logo, "
                    "#version = #version + :one, #updated_at = :now",
                    condition="attribute_exists(#pk)",
                    logo=logo,
                    one=1,
                    now=now,
                ),
            ],
        )

    def reject_upload(self, upload: UploadRecord, reason: str) -> None:
        """Record why a pending upload is not used."""
        try:
            self._table.update(
                **_upload_key_of(upload),
                expression="SET #status = :rejected, #reason = :reason REMOVE #expires_at",
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
