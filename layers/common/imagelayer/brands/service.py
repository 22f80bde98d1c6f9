"""Brands: what makes an organization's images its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from imagelayer.brands.store import MAX_BRANDS, UPLOAD_SECONDS, BrandStore, TooManyBrands
from imagelayer.limits.counters import CounterStore
from imagelayer.platform import pages
from imagelayer.platform.errors import Problem, not_found, used_up
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.principals import Principal
from imagelayer.platform.times import end_of_utc_day, rfc3339, utc_day

if TYPE_CHECKING:
    from imagelayer.brands.records import BrandRecord, UploadRecord

UPLOAD_FORM_SECONDS = 600
MAX_UPLOADS = 200  # of an organization a day
_SHOWN = ("id", "version", "name", "palette", "style", "tone", "avoid", "prompt_suffix")


@frozen
class Brands:
    """The use cases of brands and their files."""

    store: BrandStore
    objects: ObjectStore
    counters: CounterStore

    def create_brand(
        self,
        principal: Principal,
        now: float,
        fields: Mapping[str, Any],
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Create a brand. Raises Problem 409 or 422; for a repeated request also 404."""
        created: dict[str, Any] = {
            "id": new_id("brd", now),
            "org_id": principal.org_id,
            "version": 1,
            "logos": {},
            "created_at": int(now),
            "updated_at": int(now),
            **_normal(fields),
        }
        brand = cast("BrandRecord", created)
        record = idempotency and idempotency.creating(brand_id=brand["id"])
        try:
            earlier = self.store.create_brand(brand, record)
        except TooManyBrands:
            raise Problem(
                "brand_limit_reached",
                f"An organization can have {MAX_BRANDS} brands. Delete one first.",
            ) from None
        if earlier is not None:
            return Created(self.get_brand(principal, earlier["brand_id"]), replayed=True)
        return Created(view(brand))

    def get_brand(self, principal: Principal, brand_id: str) -> dict[str, Any]:
        """A brand of the caller's organization. Raises Problem 404."""
        return view(self._need(principal, brand_id))

    def list_brands(
        self, principal: Principal, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of brands, oldest first, and the next page's cursor."""
        found = self.store.list_brands(principal.org_id, limit=limit + 1, after=after)
        page, cursor = pages.cut(found, limit)
        return [view(brand) for brand in page], cursor

    def update_brand(
        self, principal: Principal, now: float, brand_id: str, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change some fields; the version grows. Raises Problem 404."""
        if not fields:
            return self.get_brand(principal, brand_id)
        known = is_id("brd", brand_id)
        brand = known and self.store.update_brand(
            principal.org_id, brand_id, _normal(fields), int(now)
        )
        if not brand:
            raise not_found("brand")
        return view(brand)

    def delete_brand(self, principal: Principal, brand_id: str) -> None:
        """Delete a brand with its files. Raises Problem 404.

        The brand goes last, so a delete that dies half way is finished by calling it again. A
        generation that runs at the same time fails because a logo is missing, and costs nothing.
        """
        self._need(principal, brand_id)
        uploads = self.store.list_uploads(principal.org_id, brand_id)
        for upload in uploads:
            self.objects.delete(upload["incoming_key"])
            self.objects.delete(upload["logo_key"])
            self.store.delete_upload(upload)
        self.store.delete_brand(principal.org_id, brand_id)

    def create_upload(
        self,
        principal: Principal,
        now: float,
        brand_id: str,
        *,
        kind: str,
        content_type: str,
        size_bytes: int,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Create an upload and return the form to post its file with. Raises Problem 404 or 429.

        A repeated request gets a fresh form for the same file, and counts again: what is counted is
        how often we may have to store and decode a file.
        """
        brand = self._need(principal, brand_id)
        self._take_upload(principal, now)
        upload_id = new_id("upl", now)
        folder = f"{principal.org_id}/{brand['id']}/{upload_id}"
        upload: UploadRecord = {
            "id": upload_id,
            "org_id": principal.org_id,
            "brand_id": brand["id"],
            "kind": kind,
            "status": "pending",
            "incoming_key": f"incoming/{folder}",
            "logo_key": f"logos/{folder}.png",
            "created_at": int(now),
            "expires_at": int(now) + UPLOAD_SECONDS,
        }
        record = idempotency and idempotency.creating(upload_id=upload_id)
        earlier = self.store.create_upload(upload, record)
        if earlier is not None:
            upload = self._need_upload(principal, brand_id, earlier["upload_id"])
        form = self.objects.upload_form(
            upload["incoming_key"],
            content_type=content_type,
            size_bytes=size_bytes,
            seconds=UPLOAD_FORM_SECONDS,
        )
        return Created({**view_upload(upload), "upload": form}, replayed=earlier is not None)

    def _take_upload(self, principal: Principal, now: float) -> None:
        midnight = end_of_utc_day(now)
        if not self.counters.take(
            "uploads",
            principal.org_id,
            utc_day(now),
            limit=MAX_UPLOADS,
            expires_at=midnight + 86_400,
        ):
            raise used_up(
                "upload_limit",
                "uploads",
                MAX_UPLOADS,
                f"An organization can upload {MAX_UPLOADS} files a day. Go on tomorrow.",
                midnight - int(now),
            )

    def get_upload(self, principal: Principal, brand_id: str, upload_id: str) -> dict[str, Any]:
        """The state of an upload. Raises Problem 404."""
        return view_upload(self._need_upload(principal, brand_id, upload_id))

    def _need_upload(self, principal: Principal, brand_id: str, upload_id: str) -> UploadRecord:
        known = is_id("brd", brand_id) and is_id("upl", upload_id)
        upload = known and self.store.get_upload(principal.org_id, brand_id, upload_id)
        if not upload:
            raise not_found("upload")
        return upload

    def _need(self, principal: Principal, brand_id: str) -> BrandRecord:
        brand = self.store.get_brand(principal.org_id, brand_id) if is_id("brd", brand_id) else None
        if brand is None:
            raise not_found("brand")
        return brand


def view(brand: BrandRecord) -> dict[str, Any]:
    """What the API shows of a brand."""
    return {
        **{name: value for name, value in brand.items() if name in _SHOWN},
        "typography": brand.get("typography"),
        "brandmark": brand.get("brandmark", ""),
        "logos": {
            kind: {
                "upload_id": logo["upload_id"],
                "width": logo["width"],
                "height": logo["height"],
            }
            for kind, logo in brand["logos"].items()
        },
        "created_at": rfc3339(brand["created_at"]),
        "updated_at": rfc3339(brand["updated_at"]),
    }


def view_upload(upload: UploadRecord) -> dict[str, Any]:
    """What the API shows of an upload."""
    return {
        "id": upload["id"],
        "brand_id": upload["brand_id"],
        "kind": upload["kind"],
        "status": upload["status"],
        "reason": upload.get("reason"),
        "created_at": rfc3339(upload["created_at"]),
    }


def _normal(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Colors in upper case, so that equal palettes are equal. Raises Problem 422 for typography or
    a brandmark that the fonts cannot set."""
    normal = dict(fields)
    if normal.get("typography") is not None:
        from imagelayer.design.designs import check_typography

        check_typography(normal["typography"])
    if normal.get("brandmark"):
        from imagelayer.design.fonts import check_text

        check_text("body.brandmark", normal["brandmark"])
    if "palette" in normal:
        normal["palette"] = [color.upper() for color in normal["palette"]]
    return normal
