"""Decodes uploaded files, re-encodes them without metadata, and only then makes them usable."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from imagelayer.audit.security_log import SecurityLog
from imagelayer.brands.store import BrandStore
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.table import StoreUnavailable
from imagelayer.render.intake import UnusableImage, sanitize

if TYPE_CHECKING:
    from imagelayer.brands.records import LogoRecord, ReplacedLogo, UploadRecord

# Each but the last means that another file of the same kind came first.
ACCEPT_ATTEMPTS = 5


@frozen
class BrandIntake:
    """The use case of one S3 event."""

    store: BrandStore
    objects: ObjectStore
    security: SecurityLog

    def receive(self, event_key: str, now: float) -> str:
        """Process one uploaded object; returns the outcome.

        Events come at least once and in any order: anything but a pending upload is ignored. The
        clean copy is written before the brand refers to it, and the raw file is deleted last, so a
        crash in between is finished by the next delivery.
        """
        incoming_key = unquote_plus(event_key)  # S3 encodes keys in events like form fields
        parts = incoming_key.split("/")
        if len(parts) != 4 or not (is_id("org", parts[1]) and is_id("upl", parts[3])):
            return "ignored"
        _, org_id, brand_id, upload_id = parts
        upload = self.store.get_upload(org_id, brand_id, upload_id)
        if upload is None:
            return "ignored"
        if upload["status"] != "pending":
            self.objects.delete(incoming_key)  # left behind by a crash, or posted again
            return "ignored"
        data = self.objects.get(incoming_key)
        if data is None:
            return "ignored"
        try:
            image = sanitize(data)
        except UnusableImage as unusable:
            self.store.reject_upload(upload, unusable.reason)
            self.objects.delete(incoming_key)
            self.security.record(
                "brand.upload_rejected",
                "denied",
                org_id=org_id,
                actor=upload_id,
                reason=unusable.reason,
            )
            return "rejected"
        self.objects.put(upload["logo_key"], image.data, content_type="image/png")
        logo: LogoRecord = {
            "upload_id": upload_id,
            "key": upload["logo_key"],
            "width": image.width,
            "height": image.height,
        }
        accepted = self._accept(upload, logo, now)
        if not accepted:
            current = self.store.get_upload(org_id, brand_id, upload_id)
            if current is None or current["status"] != "ready":
                self.objects.delete(upload["logo_key"])  # its brand was deleted
        self.objects.delete(incoming_key)
        return "ready" if accepted else "ignored"

    def _accept(self, upload: UploadRecord, logo: LogoRecord, now: float) -> bool:
        """Put the logo on its brand; False when the brand is gone or the upload no longer pending.

        Two files of one kind are kept: the current one, and the one before, which jobs may still
        need that were accepted with it. The one before that is deleted. If that is interrupted, it
        goes with the brand.
        """
        for _ in range(ACCEPT_ATTEMPTS):
            brand = self.store.get_brand(upload["org_id"], upload["brand_id"])
            if brand is None:
                return False
            current = brand["logos"].get(upload["kind"])
            if current is None:
                accepted = self.store.accept_upload(upload, logo, int(now))
            else:
                replaced: ReplacedLogo = {
                    "upload_id": current["upload_id"],
                    "key": current["key"],
                }
                accepted = self.store.accept_upload(
                    upload, {**logo, "replaced": replaced}, int(now)
                )
            if accepted:
                if current is not None and "replaced" in current:
                    self.objects.delete(current["replaced"]["key"])
                    self.store.expire_upload(upload, current["replaced"]["upload_id"], int(now))
                return True
            stored = self.store.get_upload(upload["org_id"], upload["brand_id"], upload["id"])
            if stored is None or stored["status"] != "pending":
                return False
        raise StoreUnavailable("transact_write_items", "the brand's logo is too contended")
