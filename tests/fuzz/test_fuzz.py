"""What the API description allows is accepted and what it forbids is refused, by every route, for
every kind of caller; and each answer is as described. A few thousand requests, the same each time.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from copy import replace
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
from schemathesis import Case
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response

from imagelayer.api.route import Route
from imagelayer.http.cookies import REFRESH_COOKIE
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.routes import ROUTES
from tests.support.accounts import account_of, forgot, invite, join, log_in
from tests.support.api import ALL_SCOPES, CAPTCHA, PASSWORD, Account, bearer, session_bearer
from tests.support.endpoint_requests import PREFIXES
from tests.support.fuzzing import SIGN, Gateway, fuzz
from tests.support.images import logo
from tests.support.product import Product

# Random requests to each route, beside those that try the bounds of its parameters and fields.
EXAMPLES = 4
CALLERS: dict[str, Callable[[Route], bool]] = {
    "no one": lambda route: route.auth == "none",
    "a key": lambda route: route.auth in ("key", "user_or_key"),
    "a dashboard": lambda route: route.auth in ("user", "user_or_key"),
    "an end user": lambda route: route.end_user,
}
# Rules that JSON Schema cannot say, or only at the price of a description that no one can read: by
# the places of which a problem complains, why what the description allows may be refused.
BEYOND_A_SCHEMA: dict[str, str] = {
    r"body\.allowed_cidrs\.\d+": "a network, of a /64 or larger for IPv6",
    r"body\.allowed_origins\.\d+": "not the default port of its scheme",
    r"body\.current_password|wrong_password|invalid_credentials": "the user's own",
    r"body\.default_brand_id": "not of a key that makes no images",
    r"body\.email|disposable_email": "an address that mail can be sent to",
    r"body\.expires_at": "between now and ten years from now",
    r"body\.(image|images\.0\.image_url)": "a picture that can be decoded",
    r"body\.model": "a model of this deployment, within its bounds",
    r"body\.password": "not a common password, and with few words of the account",
    r"body\.prompt": "something visible, and no longer than the model takes",
    r"body\.(name|organization_name|description)": "something visible",
    r"body\.size": "sides within the model's bounds",
    r"body\.scopes(\.\d+)?": "scopes of the key itself",
    r"body\.(brandmark|text|template)(\.\w+)?": "letters that a bundled font can draw",
    r"body\.preset": "in a form, not beside size",
    r"body\.url": "an https URL of a public host",
    r"query\.end": "start, or up to 91 days after it",
    r"idempotency_mismatch": "not a key of another request",
    r"invalid_token|captcha_failed|invalid_totp_code|totp_required": "what was mailed or shown",
    r"signature_refused": "a signature of GitHub's",
}
_ID = re.compile(r"\b(?:key|brd|upl|gen|ast|ses|usr|inv|whk|msg)_[0-9a-z]{26}\b")


@dataclass
class World:
    """An organization with something of everything, and who calls."""

    product: Product
    owner: Account
    caller: str
    credential: str | None = None
    pools: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pairs: dict[str, str] = field(default_factory=dict)  # of what is inside: in what
    kept: set[str] = field(default_factory=set)  # what the caller itself needs
    key_id: str = ""
    publishable: str = ""
    cookie: str = ""
    totp_secret: str = ""
    recovery_codes: list[str] = field(default_factory=list)
    counter: Iterator[int] = field(default_factory=itertools.count)
    signed: Iterator[int] = field(default_factory=itertools.count)

    def sign_in(self) -> None:
        """Get what the caller sends."""
        if self.caller == "a dashboard":
            body = {"email": self.owner.email, "password": PASSWORD}
            if self.recovery_codes:
                body["recovery_code"] = self.recovery_codes.pop()
            login = self.product.call("POST", "/v1/auth/login", body=body)
            assert login.status == 200, login.text
            self.credential = f"Bearer {login.json['access_token']}"
        elif self.caller != "no one":
            key = self.product.key(self.owner, *ALL_SCOPES)
            self.kept.add(key["id"])
            self.key_id = key["id"]
            headers = bearer(key)
            if self.caller == "an end user":
                headers = session_bearer(self.product.session(key))
            self.credential = headers["authorization"]

    def authorize(self, event: dict[str, Any]) -> None:
        """Send what the caller has: a bearer credential and, where it counts, the cookie."""
        if self.credential:
            event["headers"]["authorization"] = self.credential
        route = ROUTES.get(event["routeKey"])
        if route is not None and route.cookie and next(self.signed) % 4:
            event["cookies"] = [f"{REFRESH_COOKIE}={self.cookie}"]

    def furnish(self) -> None:
        """Make one of each thing that ids name."""
        product, owner = self.product, self.owner
        self.kept.add(owner.user_id)
        self.cookie = owner.cookie.partition("=")[2]
        self.publishable = product.key(owner, kind="publishable")["key"]
        self.learn(join(product, owner, "member@example.com").user_id)
        brand = product.brand_with_logo(owner)
        headers = (
            {"authorization": self.credential} if self.caller == "an end user" else owner.headers
        )
        made = product.call(
            "POST", "/v1/generations", headers=headers, body={"prompt": "waves", "size": "256x256"}
        )
        product.work_queue()
        product.works_while_waiting = False
        webhook = product.webhook(owner)
        path = f"/v1/organization/webhooks/{webhook['id']}/test"
        sent = product.call("POST", path, headers=owner.headers)
        invitation = product.call(
            "POST",
            "/v1/organization/invitations",
            headers=owner.headers,
            body={"email": "friend@example.com", "role": "viewer"},
        )
        found = product.call("GET", f"/v1/generations/{made.json['id']}", headers=headers)
        sessions = product.call("GET", "/v1/auth/sessions", headers=owner.headers)
        self.learn(brand, product.key(owner, *ALL_SCOPES), webhook)
        self.learn(sent.json, invitation.json, found.json, sessions.json)
        upload = product.upload(owner.headers, brand["id"], logo())
        self.learn(upload)
        self.pairs |= {upload["id"]: brand["id"], sent.json["id"]: webhook["id"]}

    def learn(self, *answers: Any) -> None:
        """Remember the ids of answers for later requests."""
        for identifier in _ID.findall(json.dumps(answers)):
            pool = self.pools[identifier[:3]]
            if identifier not in self.kept and identifier not in pool:
                pool.append(identifier)
                del pool[:-20]

    def notice(self, route: str, response: dict[str, Any]) -> None:
        """Remember what was made, and sign in again after what ended the caller's own session."""
        if response["statusCode"] >= 300:
            if response["statusCode"] == 401 and route in ROUTES and ROUTES[route].auth != "none":
                self.sign_in()
            return
        self.learn(response["body"])
        for cookie in response.get("cookies", []):
            self.cookie = cookie.partition(";")[0].partition("=")[2] or self.cookie
        match ROUTES[route].operation:
            case "startTotp":
                self.totp_secret = json.loads(response["body"])["secret"]
            case "confirmTotp" | "renewRecoveryCodes":
                self.recovery_codes = json.loads(response["body"])["recovery_codes"]
            case "disableTotp":
                self.recovery_codes = []

    def prepare(self, case: Case) -> None:
        """Aim a lawful request at what exists."""
        number = next(self.counter)
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return
        tried = getattr(case.meta.phase.data, "parameter", None)
        operation = case.operation.definition.raw["operationId"]
        if number % 8:
            case.path_parameters.update(self._existing(case.path_parameters, number))
        if operation == "rotateKey" and self.caller == "a key":
            case.path_parameters["key_id"] = self.key_id  # a key rotates itself alone
        self._set_headers(case.headers, operation, tried, number)
        if isinstance(case.body, dict):
            case.body |= {
                name: value
                for name, value in self._known(operation, case.body, number).items()
                if name in case.body
            }

    def _set_headers(self, headers: Any, operation: str, tried: str | None, number: int) -> None:
        if "Idempotency-Key" in headers and tried != "Idempotency-Key":
            headers["Idempotency-Key"] = f"fuzz-{number}"
        if "x-imagelayer-key" in headers and number % 8:
            headers["x-imagelayer-key"] = self.publishable
        if "Github-Public-Key-Signature" in headers and number % 8:
            headers["Github-Public-Key-Signature"] = SIGN

    def _known(self, operation: str, body: dict[str, Any], number: int) -> dict[str, Any]:
        """The values that fields must have to be accepted: secrets, and what exists."""
        found: dict[str, Any] = {"turnstile_token": CAPTCHA}
        if number % 2:
            found |= {"email": self.owner.email, "password": PASSWORD, "current_password": PASSWORD}
            found |= {"url": "https://hooks.example.com/imagelayer", "model": "studio"}
            found |= {"allowed_cidrs": ["203.0.113.0/24"], "expires_at": "2030-01-01T00:00:00Z"}
            if "token" in body:
                found["token"] = self._mailed(operation, number)
            if self.totp_secret and operation == "confirmTotp":
                found["totp_code"] = pyotp.TOTP(self.totp_secret).now()
            if self.recovery_codes and operation in ("disableTotp", "renewRecoveryCodes"):
                found |= {"totp_code": None, "recovery_code": self.recovery_codes.pop()}
                body |= {"recovery_code": None}
        if number % 4:
            found |= {
                name: self.pools[prefix][-1]
                for name, prefix in (("brand_id", "brd"), ("key_id", "key"))
                if body.get(name) and self.pools[prefix]
            }
        return found

    def _mailed(self, operation: str, number: int) -> str:
        product, someone = self.product, f"someone-{number}@example.com"
        match operation:
            case "verifyEmail":
                product.register(someone)
            case "acceptInvitation":
                answer = log_in(product, self.owner.email)
                return invite(product, account_of(self.owner.email, answer), someone)
            case _:
                forgot(product, "member@example.com")
        found = re.search("#token=([A-Za-z0-9._-]+)", str(product.mails()[-1].body))
        return found[1] if found else "x" * 60

    def _other_session(self) -> dict[str, str]:
        """A session of the caller's that does not make the call."""
        if self.caller != "a dashboard" or self.recovery_codes:
            return {}
        log_in(self.product, self.owner.email)
        headers = {"authorization": str(self.credential)}
        listed = self.product.call("GET", "/v1/auth/sessions", headers=headers)
        sessions = listed.json["data"] if listed.status == 200 else []
        others = [each["id"] for each in sessions if not each["current"]]
        return {"session_id": others[0]} if others else {}

    def _existing(self, names: Collection[str], number: int) -> dict[str, str]:
        """An id that exists for each name; of what is inside another, together with that."""
        chosen = {}
        for name in names:
            if pool := self.pools[PREFIXES.get(name, "")]:
                chosen[name] = pool[-1 - number % len(pool)]
        for outer, inner in (("brand_id", "upload_id"), ("webhook_id", "message_id")):
            if inner in chosen and outer in chosen:
                chosen[outer] = self.pairs.get(chosen[inner], chosen[outer])
        if "session_id" in names:
            chosen |= self._other_session()
        return chosen


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """One whose limits never end, so that every request reaches what it is for."""
    for name, policy in POLICIES.items():
        monkeypatch.setitem(POLICIES, name, replace(policy, quota=10**7, burst=10**6))
    with Product() as made:
        made.internal_errors_expected = True  # reported as findings
        yield made


def is_expected(case: Case, response: Response | None, failure: Failure) -> bool:
    """Whether a lawful request was refused for a rule that no schema can say."""
    if failure.title == "Schema-violating request accepted":
        key = case.headers.get("Idempotency-Key", "")
        if key != key.strip():
            return True  # HTTP does not carry blanks at the ends
        if "" in (case.query or {}).values() or [""] in (case.query or {}).values():
            return True  # `allowEmptyValue`
        # A form has text alone, of which most can be read somehow. What a field forbids is tried
        # in JSON, which has the same fields.
        return bool(case.media_type == "multipart/form-data")
    try:
        problem = json.loads(response.content if response else b"")
    except ValueError:
        return False
    if failure.title == "Server error":
        return bool(problem["code"] == "timed_out")  # of a redirect that says it is the last
    if failure.title != "Schema-valid request rejected":
        return False
    places = [each["location"] for each in problem["errors"]] or [problem["code"]]
    return all(any(re.fullmatch(rule, place) for rule in BEYOND_A_SCHEMA) for place in places)


def as_it_is(description: dict[str, Any]) -> None:
    """Change nothing."""


def without_conditions(description: dict[str, Any]) -> None:
    """Take away the rules of several fields."""
    for shape in description["components"]["schemas"].values():
        for keyword in ("if", "then", "else"):
            shape.pop(keyword, None)


@pytest.mark.parametrize("caller", CALLERS)
def test_the_product_and_its_description_agree(
    product: Product, caller: str, record_property: Callable[[str, object], None]
) -> None:
    world = World(product, product.account("dev@example.com"), caller)
    world.sign_in()
    world.furnish()
    gateway = Gateway(product, world.authorize, world.notice)
    routes = [key for key, route in ROUTES.items() if CALLERS[caller](route)]
    # What a key has tried bound by bound, others need not; nor one shape of two that share most.
    first = [
        key
        for key in routes
        if (caller == "a key" or not CALLERS["a key"](ROUTES[key]))
        and ROUTES[key].operation not in ("createImage", "updateBrand")
    ]
    # Schemathesis cannot hold a file against rules of several fields (4.32).
    forms = [key for key in first if ROUTES[key].form]
    again = [key for key in routes if key not in first]
    reports = [
        fuzz(
            gateway,
            some,
            examples=EXAMPLES * (8 if caller == "an end user" else 1),
            coverage=some is not again,
            prepare=world.prepare,
            is_expected=is_expected,
            change=without_conditions if some is forms else as_it_is,
        )
        for some in ([key for key in first if key not in forms], forms, again)
        if some
    ]
    served = {route for route, status in gateway.answered if status < 400}
    statuses = Counter[int]()
    for (_, status), times in gateway.answered.items():
        statuses[status] += times
    findings = [f"{what}\n    {how}" for report in reports for what, how in report.failures.items()]
    never = sorted(set(routes) - served)
    record_property(
        "fuzz",
        f"fuzz as {caller}: {sum(report.cases for report in reports)} requests to {len(routes)} "
        f"routes, {len(findings)} findings; by status {dict(sorted(statuses.items()))}; "
        f"served by all{f' but {never}' if never else ''}",
    )
    findings += [error for report in reports for error in report.errors]
    if findings:
        pytest.fail("\n".join(findings), pytrace=False)


def allow_longer_pages(description: dict[str, Any]) -> None:
    parameters = description["paths"]["/v1/brands"]["get"]["parameters"]
    (limit,) = (each for each in parameters if each["name"] == "limit")
    limit["schema"]["maximum"] = 200


def forbid_brands_without_a_tone(description: dict[str, Any]) -> None:
    description["components"]["schemas"]["CreateBrandRequest"]["required"].append("tone")


def expect_numbers_for_names(description: dict[str, Any]) -> None:
    description["components"]["schemas"]["Brand"]["properties"]["name"]["type"] = "integer"


def forget_that_a_brand_is_created(description: dict[str, Any]) -> None:
    responses = description["paths"]["/v1/brands"]["post"]["responses"]
    responses["200"] = responses.pop("201")


@pytest.mark.parametrize(
    ("change", "route", "finding"),
    [
        (allow_longer_pages, "GET /v1/brands", "Schema-valid request rejected"),
        (forbid_brands_without_a_tone, "POST /v1/brands", "Schema-violating request accepted"),
        (expect_numbers_for_names, "POST /v1/brands", "Response violates schema"),
        (forget_that_a_brand_is_created, "POST /v1/brands", "Undocumented status code 201"),
    ],
)
def test_a_description_that_is_not_true_is_found(
    product: Product, change: Callable[[dict[str, Any]], None], route: str, finding: str
) -> None:
    """The control: what the product does otherwise than described becomes a finding."""
    world = World(product, product.account("dev@example.com"), "a key")
    world.sign_in()
    report = fuzz(
        Gateway(product, world.authorize, world.notice),
        [route],
        examples=10,
        coverage=change in (allow_longer_pages, forbid_brands_without_a_tone),
        prepare=world.prepare,
        is_expected=is_expected,
        change=change,
    )
    assert any(what.startswith(f"{route}: {finding}") for what in report.failures), report
