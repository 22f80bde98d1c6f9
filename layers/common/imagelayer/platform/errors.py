"""The one error type the product answers with, and the catalogue of its stable codes.

Rules raise `Problem(code, detail)`. The catalogue fixes the status and the title, so that one code
always means one thing; `http.problems` alone turns a Problem into bytes. `detail` is public text:
it must never hold a stack trace, a table name, an ARN, a library's message or an echoed secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagelayer.platform.frozen import frozen

# code -> (HTTP status, title). Codes are public contract: add, never rename.
CATALOGUE: Mapping[str, tuple[int, str]] = {
    "malformed_json": (400, "The body is not valid JSON"),
    "bad_request": (400, "The request is malformed"),
    "captcha_failed": (400, "The captcha was not accepted"),
    "invalid_token": (400, "The token is invalid, already used or expired"),
    "content_filtered": (400, "The model's content filter rejected the request"),
    "invalid_image": (400, "The uploaded image cannot be read"),
    "provider_rejected": (400, "The model's provider rejected the request"),
    "unauthenticated": (401, "Credentials are missing or not valid"),
    "invalid_credentials": (401, "The email address or password is wrong"),
    "totp_required": (401, "A second-factor code is required"),
    "invalid_totp_code": (401, "The second-factor code is wrong or was already used"),
    "insufficient_credits": (402, "The organization is out of credits"),
    "insufficient_scope": (403, "The credential lacks the required scope"),
    "wrong_password": (403, "The current password is wrong"),
    "second_factor_required": (403, "The organization requires a second factor"),
    "address_not_allowed": (403, "The key may not be used from this address"),
    "signature_refused": (403, "The signature is not accepted"),
    "origin_not_allowed": (403, "The session may not be used from this origin"),
    "cross_site_request": (403, "The request came from another site"),
    "generation_cap_reached": (403, "The session has no generations left"),
    "edge_required": (403, "Requests must come through the edge"),
    "not_found": (404, "The resource does not exist"),
    "route_not_found": (404, "There is no such route"),
    "model_unavailable": (404, "The model is no longer available"),
    "method_not_allowed": (405, "The route does not take this method"),
    "brand_missing": (409, "The brand was deleted before the image was made"),
    "conflict": (409, "The request conflicts with the resource's current state"),
    "idempotency_in_flight": (409, "A request with this idempotency key is in progress"),
    "key_limit_reached": (409, "The organization has reached its key limit"),
    "brand_limit_reached": (409, "The organization has reached its brand limit"),
    "webhook_limit_reached": (409, "The organization has reached its webhook limit"),
    "last_owner": (409, "An organization must keep at least one owner"),
    "address_taken": (409, "The address already has an account"),
    "expired": (410, "The media has expired"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The content type is not supported"),
    "validation_failed": (422, "The request is not valid"),
    "disposable_email": (422, "Disposable email addresses cannot register"),
    "model_shut_down": (422, "The model was shut down by its provider"),
    "text_does_not_fit": (422, "The text does not fit the image"),
    "idempotency_mismatch": (422, "The idempotency key was used with another request"),
    "rate_limited": (429, "Too many requests"),
    "registration_limit": (429, "Too many registrations from this address today"),
    "test_image_limit": (429, "The organization has used its test images of the day"),
    "upload_limit": (429, "The organization has used its uploads of the day"),
    "internal_error": (500, "Something went wrong on our side"),
    "provider_bad_image": (502, "The model did not return a usable image"),
    "provider_misconfigured": (502, "The model's provider rejected our credentials"),
    "provider_quota": (502, "The provider account is out of quota"),
    "limiter_unavailable": (503, "The rate limiter is unavailable"),
    "dependency_unavailable": (503, "A service we depend on is unavailable"),
    "provider_rate_limited": (503, "The model's provider is overloaded"),
    "provider_unavailable": (503, "The model's provider cannot be reached"),
    "provider_timeout": (504, "The model did not respond in time"),
    "timed_out": (504, "The generation did not finish in time"),
}

# A retry of these can only fail again, so clients that retry by status get x-should-retry: false.
DO_NOT_RETRY = frozenset(
    {
        "insufficient_credits",
        "registration_limit",
        "test_image_limit",
        "upload_limit",
        "generation_cap_reached",
        "provider_bad_image",  # the provider has already charged for it
        "provider_misconfigured",
        "provider_quota",
        "provider_timeout",
        "timed_out",
    }
)

RETRY_AFTER_UNAVAILABLE_SECONDS = 2


@frozen
class FieldError:
    """One broken rule: `location` is a dotted path such as `body.palette.0`."""

    location: str
    message: str


class Problem(Exception):
    """A refusal that is answered to the caller.

    `code` is a key of `CATALOGUE`; `detail` is public; `headers` are sent along (for example
    `Retry-After`); `param` names the offending field for OpenAI-style readers.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status, self.title = CATALOGUE[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.reason = reason  # for the log alone
        self._param = param

    def carrying(self, headers: Mapping[str, str]) -> Problem:
        """The same refusal with more headers; its own come first."""
        self.headers = {**headers, **self.headers}
        return self

    @property
    def param(self) -> str | None:
        """The offending field: the one that was named, or the first broken rule's, without its
        `body.` prefix."""
        if self._param is not None or not self.errors:
            return self._param
        return self.errors[0].location.partition(".")[2] or None


def used_up(code: str, name: str, limit: int, detail: str, seconds: int) -> Problem:
    """The refusal of a daily allowance; `seconds` are those until the day ends."""
    return Problem(
        code,
        detail,
        headers={
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{name}";q={limit};w=86400',
            "RateLimit": f'"{name}";r=0;t={seconds}',
        },
    )


def not_found(what: str) -> Problem:
    """The one answer for a missing id and for an id of another organization."""
    return Problem("not_found", f"There is no such {what}.")


def invalid(location: str, message: str) -> Problem:
    """A single broken rule of the request body or query."""
    return Problem(
        "validation_failed", f"{location}: {message}", errors=[FieldError(location, message)]
    )
