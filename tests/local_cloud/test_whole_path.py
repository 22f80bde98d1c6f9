"""From sign-up to the bytes of a branded image, with IAM enforced from the template's roles."""

from __future__ import annotations

import io
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

from dev.local_cloud import LocalCloud
from tests.support.api_clients import LOGO
from tests.support.cloud_clients import new_owner, new_visitor
from tests.support.cloud_organizations import invoke


def test_a_sign_up_ends_with_the_logos_exact_pixels_in_a_downloaded_image(
    cloud: LocalCloud,
) -> None:
    owner = new_owner(cloud)
    assert owner.upload_demo_logo()["status"] == "ready"
    job = owner.generate(brand_id=owner.brand["id"], size="1024x1024", output_format="png", seed=7)
    assert job["status"] == "succeeded", job
    asset = owner.call("GET", f"/v1/assets/{job['assets'][0]['id']}", token=owner.key["key"]).json()
    picture = Image.open(io.BytesIO(httpx.get(asset["url"]).raise_for_status().content))
    assert (picture.format, picture.size) == ("PNG", (1024, 1024))
    place = asset["brand_report"]["logo"]
    assert place["scale"] == 1
    logo = Image.open(LOGO).convert("RGBA")
    cut = picture.convert("RGB").crop(
        (place["x"], place["y"], place["x"] + logo.width, place["y"] + logo.height)
    )
    opaque = [
        (drawn, given[:3])
        for drawn, given in zip(cut.get_flattened_data(), logo.get_flattened_data(), strict=True)
        if isinstance(given, tuple) and given[3] == 255
    ]
    assert len(opaque) > 1000
    assert all(drawn == given for drawn, given in opaque)


def test_an_owner_whom_the_operator_invites_begins_without_a_sign_up(cloud: LocalCloud) -> None:
    invited = new_visitor(cloud)
    event = {"action": "create_owner", "email": invited.email, "organization_name": "Acme"}
    answer = invoke(cloud, "AdministrationFunction", event)
    assert answer == {"email": invited.email, "organization_name": "Acme"}
    assert invited.verify().status_code == 200
    assert invited.log_in().status_code == 200
    refused = invoke(cloud, "AdministrationFunction", event)
    assert refused["error"]["code"] == "address_taken"


@pytest.mark.promise("assets-signed")
def test_media_is_reachable_only_through_a_link_that_is_signed_and_short(
    cloud: LocalCloud,
) -> None:
    owner = new_owner(cloud)
    job = owner.generate(size="256x256")
    redirect = owner.call(
        "GET", f"/v1/assets/{job['assets'][0]['id']}/content", token=owner.key["key"]
    )
    assert redirect.status_code == 302
    link = redirect.headers["location"]
    query = parse_qs(urlsplit(link).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert int(query["X-Amz-Expires"][0]) <= 300
    assert httpx.get(link).status_code == 200
    bare = link.partition("?")[0]
    assert httpx.get(bare).status_code == 403
    assert httpx.get(link.replace("X-Amz-Expires=300", "X-Amz-Expires=3000")).status_code == 403
    assert httpx.get(link[:-4] + "0000").status_code == 403


@pytest.mark.promise("media-72h")
def test_media_past_72_hours_is_gone_at_once_for_readers_and_soon_for_good(
    cloud: LocalCloud,
) -> None:
    owner = new_owner(cloud)
    job = owner.generate(size="256x256")
    asset_id = job["assets"][0]["id"]
    assert owner.call("GET", f"/v1/assets/{asset_id}", token=owner.key["key"]).status_code == 200
    dynamodb, table = cloud.client("dynamodb"), cloud.info["tables"]["GenerationsTable"]
    past = {":past": {"N": str(int(time.time()) - 1)}}
    for sk, change in (
        (f"AST#{asset_id}", "SET expires_at = :past"),
        (f"GEN#{job['id']}", "SET expires_at = :past, sweep_at = :past"),
    ):
        dynamodb.update_item(
            TableName=table,
            Key={"pk": {"S": f"ORG#{owner.org_id}"}, "sk": {"S": sk}},
            UpdateExpression=change,
            ExpressionAttributeValues=past,
        )
    for path, status in (
        (f"/v1/assets/{asset_id}", 410),
        (f"/v1/assets/{asset_id}/content", 410),
        (f"/v1/generations/{job['id']}", 404),
    ):
        assert owner.call("GET", path, token=owner.key["key"]).status_code == status
    cloud.client("lambda").invoke(
        FunctionName=cloud.info["functions"]["CleanupFunction"], Payload=b"{}"
    )
    objects = cloud.client("s3").list_objects_v2(
        Bucket=cloud.info["buckets"]["MediaBucket"], Prefix=f"{owner.org_id}/"
    )
    assert objects["KeyCount"] == 0
    left = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"ORG#{owner.org_id}"}},
    )
    assert left["Items"] == []


def test_a_logo_that_is_no_image_is_refused_with_its_reason_and_never_used(
    cloud: LocalCloud,
) -> None:
    owner = new_owner(cloud)
    refused = owner.upload(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    assert refused["status"] == "rejected"
    assert refused["reason"] in ("not_an_image", "unsupported_format")
    brand = owner.call("GET", f"/v1/brands/{owner.brand['id']}", token=owner.access_token).json()
    assert brand["logos"] == {}


def test_an_upload_of_another_size_or_type_than_announced_is_refused_by_the_bucket(
    cloud: LocalCloud,
) -> None:
    owner = new_owner(cloud)
    form = owner.call(
        "POST",
        f"/v1/brands/{owner.brand['id']}/assets",
        token=owner.access_token,
        json={"kind": "logo", "content_type": "image/png", "size_bytes": 100},
    ).json()["upload"]
    longer = httpx.post(form["url"], data=form["fields"], files={"file": b"x" * 101})
    assert longer.status_code == 400
    html = httpx.post(
        form["url"],
        data={**form["fields"], "Content-Type": "text/html"},
        files={"file": b"x" * 100},
    )
    assert html.status_code == 403


def test_a_deleted_brand_leaves_neither_record_nor_file(cloud: LocalCloud) -> None:
    owner = new_owner(cloud)
    owner.upload_demo_logo()
    path = f"/v1/brands/{owner.brand['id']}"
    assert owner.call("DELETE", path, token=owner.access_token).status_code == 204
    assert owner.call("GET", path, token=owner.access_token).status_code == 404
    objects = cloud.client("s3").list_objects_v2(Bucket=cloud.info["buckets"]["BrandBucket"])
    assert not any(owner.org_id in each["Key"] for each in objects.get("Contents", []))
