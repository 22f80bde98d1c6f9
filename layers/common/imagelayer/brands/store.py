"""Brands and the files uploaded for them.

ORG#<org_id>   BRAND#<brand_id>                  name, palette, …, version, logos: {kind: …}
ORG#<org_id>   UPLOAD#<brand_id>#<upload_id>     kind, status, reason, expires_at while pending
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    Table,
    try_transact,
)


class BrandStore:
    """Brands of an organization; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self._idempotency = IdempotencyStore(client, table)

    def create(self, brand: Item, record: IdempotencyRecord | None = None) -> Ids | None:
        """Write a new brand. Returns the ids an earlier request with the same idempotency key
        created, else None."""
        item = {**_brand_key(brand["org_id"], brand["id"]), **brand}
        return self._idempotency.create(item, record)

    def get(self, org_id: str, brand_id: str) -> Item | None:
        """A brand, or None."""
        return self._table.get(**_brand_key(org_id, brand_id))

    def page(self, org_id: str, *, limit: int, after: str | None) -> list[Item]:
        """Brands in order of creation, past `after`."""
        return self._table.query(
            f"ORG#{org_id}", prefix="BRAND#", limit=limit, after=f"BRAND#{after}" if after else None
        )

    def change(
        self, org_id: str, brand_id: str, fields: Mapping[str, Any], now: int
    ) -> Item | None:
        """Set fields and raise the version; None when there is no such brand.

        Concurrent changes of different fields both stay; of the same field the last one stays.
        """
        settings = "".join(f", #{name} = :{name}" for name in fields)
        try:
            return self._table.update(
                **_brand_key(org_id, brand_id),
                expression=f"SET #version = #version + :one, #updated_at = :now{settings}",
                condition="attribute_exists(#pk)",
                one=1,
                now=now,
                **fields,
            )
        except ConditionFailed:
            return None

    def delete(self, org_id: str, brand_id: str) -> bool:
        """Delete a brand; False when there is none."""
        try:
            self._table.delete(**_brand_key(org_id, brand_id), condition="attribute_exists(#pk)")
        except ConditionFailed:
            return False
        return True

    def current_check(self, org_id: str, brand_id: str, version: int) -> Action:
        """A transaction's condition that this is the brand as it stands. A brand that is gone or
        was changed meanwhile refuses, and the refusal brings what stands there."""
        return self._table.check_action(
            **_brand_key(org_id, brand_id), condition="#version = :version", version=version
        )

    def create_upload(self, upload: Item, record: IdempotencyRecord | None = None) -> Ids | None:
        """Write a pending upload. Returns as `create`."""
        return self._idempotency.create({**_upload_key(upload), **upload}, record)

    def get_upload(self, org_id: str, brand_id: str, upload_id: str) -> Item | None:
        """An announced file, or None."""
        return self._table.get(
            **_upload_key({"org_id": org_id, "brand_id": brand_id, "id": upload_id})
        )

    def uploads(self, org_id: str, brand_id: str) -> list[Item]:
        """All files announced for a brand."""
        return self._table.query(f"ORG#{org_id}", prefix=f"UPLOAD#{brand_id}#")

    def delete_upload(self, upload: Item) -> None:
        """Forget a file."""
        self._table.delete(**_upload_key(upload))

    def accept_upload(self, upload: Item, logo: Item, now: int) -> bool:
        """Mark a file ready and put it on its brand, both or neither.

        S3 may deliver one event twice: the second finds the file no longer pending and is
        refused, so the brand's version grows once. A brand deleted meanwhile refuses as well.
        """
        key = _upload_key(upload)
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

    def reject_upload(self, upload: Item, reason: str) -> None:
        """Say why a pending file will not be used."""
        try:
            self._table.update(
                **_upload_key(upload),
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


def _upload_key(upload: Item) -> dict[str, str]:
    return {"pk": f"ORG#{upload['org_id']}", "sk": f"UPLOAD#{upload['brand_id']}#{upload['id']}"}
