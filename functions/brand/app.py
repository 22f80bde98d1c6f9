"""Brands and the files uploaded for them."""

from imagelayer.brands.routes import ROUTES
from imagelayer.brands.wiring import BrandsWiring
from imagelayer.http import App, Call, Reply, created
from imagelayer.http.body import sent_fields
from imagelayer.http.paging import page, page_request

app = App("brand", BrandsWiring, ROUTES)


@app.route("POST /v1/brands")
def create_brand(call: Call[BrandsWiring]) -> Reply:
    brand = call.wiring.brands.create_brand(
        call.principal, call.now, sent_fields(call.body), call.idempotency
    )
    return created(brand)


@app.route("GET /v1/brands")
def list_brands(call: Call[BrandsWiring]) -> Reply:
    limit, after = page_request(call.query, "brd")
    return Reply(page(*call.wiring.brands.list_brands(call.principal, limit=limit, after=after)))


@app.route("GET /v1/brands/{brand_id}")
def get_brand(call: Call[BrandsWiring]) -> Reply:
    return Reply(call.wiring.brands.get_brand(call.principal, call.path["brand_id"]))


@app.route("PATCH /v1/brands/{brand_id}")
def update_brand(call: Call[BrandsWiring]) -> Reply:
    changed = call.wiring.brands.update_brand(
        call.principal, call.now, call.path["brand_id"], sent_fields(call.body)
    )
    return Reply(changed)


@app.route("DELETE /v1/brands/{brand_id}")
def delete_brand(call: Call[BrandsWiring]) -> Reply:
    call.wiring.brands.delete_brand(call.principal, call.path["brand_id"])
    return Reply()


@app.route("POST /v1/brands/{brand_id}/assets")
def create_upload(call: Call[BrandsWiring]) -> Reply:
    upload = call.wiring.brands.create_upload(
        call.principal,
        call.now,
        call.path["brand_id"],
        idempotency=call.idempotency,
        **sent_fields(call.body),
    )
    return created(upload)


@app.route("GET /v1/brands/{brand_id}/assets/{upload_id}")
def get_upload(call: Call[BrandsWiring]) -> Reply:
    upload = call.wiring.brands.get_upload(
        call.principal, call.path["brand_id"], call.path["upload_id"]
    )
    return Reply(upload)


handler = app.handler
