"""Routes of brands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.route import PAGE, Route, lazy, route_table

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
        summary="Describe a brand",
        auth="user_or_key",
        limit="brand-write",
        status=201,
        answer=lambda: schemas.Brand,
        body=lambda: schemas.CreateBrandRequest,
        scope="brands:write",
        problems=("not_found",),
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
        query=PAGE,
    ),
    Route(
        "GET /v1/brands/{brand_id}",
        tag="Brands",
        function="brand",
        operation="getBrand",
        summary="Read a brand",
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
        summary="Change a brand",
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
        summary="Announce a logo file",
        auth="user_or_key",
        limit="brand-write",
        status=201,
        answer=lambda: schemas.CreatedUpload,
        body=lambda: schemas.CreateUploadRequest,
        scope="brands:write",
        idempotent="organization",
    ),
    Route(
        "GET /v1/brands/{brand_id}/assets/{upload_id}",
        tag="Brands",
        function="brand",
        operation="getUpload",
        summary="Whether a logo file is usable",
        auth="user_or_key",
        limit="brand-read",
        status=200,
        answer=lambda: schemas.Upload,
        scope="brands:read",
    ),
)
