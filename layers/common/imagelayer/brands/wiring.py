"""Wires the brands domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.brands.intake import BrandIntake
    from imagelayer.brands.service import Brands
    from imagelayer.brands.store import BrandStore
    from imagelayer.platform.objects import ObjectStore


class BrandsWiring(Part):
    """Brands and the files uploaded for them."""

    @cached_property
    def brand_store(self) -> BrandStore:
        from imagelayer.brands.store import BrandStore

        return BrandStore(self.platform.client("dynamodb"), self.platform.table("BRANDS_TABLE"))

    @cached_property
    def brand_objects(self) -> ObjectStore:
        from imagelayer.platform.objects import ObjectStore

        return ObjectStore(
            lambda: self.platform.client("s3"), self.platform.settings.need("BRAND_BUCKET")
        )

    @cached_property
    def brands(self) -> Brands:
        """The use cases of brands and their files."""
        from imagelayer.brands.service import Brands
        from imagelayer.limits.wiring import LimitsWiring

        return Brands(self.brand_store, self.brand_objects, self.part(LimitsWiring).counters)

    @cached_property
    def brand_intake(self) -> BrandIntake:
        """The use case of an uploaded file."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.brands.intake import BrandIntake

        return BrandIntake(self.brand_store, self.brand_objects, self.part(AuditWiring).security)
