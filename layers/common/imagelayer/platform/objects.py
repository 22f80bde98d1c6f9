"""Objects in S3: private, reached by callers only through short signed links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError

from imagelayer.platform.aws_calls import StoreUnavailable, call

# S3 answers 403 for a missing key to callers that may not list the bucket, and ours may not.
_MISSING = frozenset({"NoSuchKey", "404", "NotFound", "AccessDenied", "403"})


class ObjectStore:
    """One bucket. `client` makes the S3 client on first use, since many requests need none."""

    def __init__(self, client: Callable[[], Any], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(
        self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Write an object. Raises StoreUnavailable."""
        self._call(
            "put_object",
            Key=key,
            Body=data,
            ContentType=content_type,
            Metadata=dict(metadata or {}),
        )

    def get(self, key: str) -> bytes | None:
        """An object's bytes, or None. Raises StoreUnavailable."""
        try:
            answer = self._call("get_object", Key=key)
            data: bytes = answer["Body"].read()
        except StoreUnavailable as fault:
            if fault.reason in _MISSING:
                return None
            raise
        except BotoCoreError as error:  # while the body was read
            raise StoreUnavailable("get_object", type(error).__name__) from None
        return data

    def delete(self, key: str) -> None:
        """Delete an object; missing is not an error (S3 answers 204). Raises StoreUnavailable."""
        self._call("delete_object", Key=key)

    def link(
        self, key: str, *, seconds: int, content_type: str, filename: str, method: str = "GET"
    ) -> str:
        """A presigned GET (SigV4) that dies after `seconds`; signing calls nothing.

        The overrides are part of the signature: the browser is given the type we wrote and a
        file name of our own. So is the method: S3 refuses HEAD at a link that is signed for GET.
        """
        link: str = self._client().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentType": content_type,
                "ResponseContentDisposition": f'inline; filename="{filename}"',
                "ResponseCacheControl": "private, max-age=300",
            },
            ExpiresIn=seconds,
            HttpMethod=method,
        )
        return link

    def upload_form(
        self, key: str, *, content_type: str, size_bytes: int, seconds: int
    ) -> dict[str, Any]:
        """A presigned POST for exactly this key, type and size: `{"url", "fields"}`.

        A presigned PUT cannot bound the size; a POST policy can
        (S3 API reference, "Creating a POST policy": content-length-range).
        """
        form: dict[str, Any] = self._client().generate_presigned_post(
            Bucket=self._bucket,
            Key=key,
            Fields={"Content-Type": content_type},
            Conditions=[
                {"Content-Type": content_type},
                ["content-length-range", size_bytes, size_bytes],
            ],
            ExpiresIn=seconds,
        )
        return form

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return call(self._client(), operation, Bucket=self._bucket, **request)
