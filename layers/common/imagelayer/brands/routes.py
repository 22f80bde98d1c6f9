"""Routes of brands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.query import page_of
from imagelayer.api.route import Route, route_table
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.brands import schemas
else:
    schemas = lazy("imagelayer.brands.schemas")

ROUTES = route_table(
    Route(
        "POST /v1/brands",
        tag="Brands",
        function="brand",
        operation="createBrand",
        summary="Create a brand",
        auth="user_or_key",
        limit="brand-write",
        status=201,
        answer=lambda: schemas.Brand,
        body=lambda: schemas.CreateBrandRequest,
        scope="brands:write",
        problems=("not_found", "brand_limit_reached"),
        idempotent="organization",
    ),
    Route(
        "GET /v1/brands",
        tag="Brands",
        function="brand",
        operation="listBrands",
        summary="List brands",
        auth="user_or_key",
        limit="brand-read",
        status=200,
        answer=lambda: schemas.BrandList,
        scope="brands:read",
        query=page_of("brd"),
    ),
    Route(
        "GET /v1/brands/{brand_id}",
        tag="Brands",
        function="brand",
        operation="getBrand",
        summary="Get a brand",
        auth="user_or_key",
        limit="brand-read",
        status=200,
        answer=lambda: schemas.Brand,
        scope="brands:read",
    ),
    Route(
        "PATCH /v1/brands/{brand_id}",
        tag="Brands",
        function="brand",
        operation="updateBrand",
        summary="Update a brand",
        description=(
            "Generations that were accepted earlier keep the version they were accepted with."
        ),
        auth="user_or_key",
        limit="brand-write",
        status=200,
        answer=lambda: schemas.Brand,
        body=lambda: schemas.UpdateBrandRequest,
        scope="brands:write",
    ),
    Route(
        "DELETE /v1/brands/{brand_id}",
        tag="Brands",
        function="brand",
        operation="deleteBrand",
        summary="Delete a brand",
        description="Deletes its logos too.",
        auth="user_or_key",
        limit="brand-write",
        status=204,
        scope="brands:write",
    ),
    Route(
        "POST /v1/brands/{brand_id}/assets",
        tag="Brands",
        function="brand",
        operation="createUpload",
        summary="Create a logo upload",
        description=(
            "Returns a URL and form fields: post the file there, then poll the upload until it "
            "is `ready`."
        ),
        auth="user_or_key",
        limit="brand-write",
        status=201,
        answer=lambda: schemas.CreatedUpload,
        body=lambda: schemas.CreateUploadRequest,
        scope="brands:write",
        problems=("upload_limit",),
        idempotent="organization",
    ),
    Route(
        "GET /v1/brands/{brand_id}/assets/{upload_id}",
        tag="Brands",
        function="brand",
        operation="getUpload",
        summary="Get the status of a logo upload",
        auth="user_or_key",
        limit="brand-read",
        status=200,
        answer=lambda: schemas.Upload,
        scope="brands:read",
    ),
)
