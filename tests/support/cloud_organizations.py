"""Organizations of the local cloud that are ready to make images, written through the stores."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from dev.local_cloud import LocalCloud
from dev.model_servers import OPENAI_KEY, OPENAI_ROOT
from imagelayer.access import key_secrets
from imagelayer.access.end_user_session_store import EndUserSessionStore
from imagelayer.access.key_store import KeyStore
from imagelayer.access.records import NewApiKey
from imagelayer.access.scopes import Scope
from imagelayer.audit.security_log import SecurityLog
from imagelayer.brands.snapshots import BrandSnapshots
from imagelayer.brands.store import BrandStore
from imagelayer.credits.ledger import audit
from imagelayer.credits.quota_alerts import QuotaAlerts
from imagelayer.credits.store import CreditStore
from imagelayer.credits.wallet import Wallet, WalletMemory
from imagelayer.generations.acceptance import Acceptance
from imagelayer.generations.assets import Assets
from imagelayer.generations.schemas import CreateGenerationRequest
from imagelayer.generations.service import Generations
from imagelayer.generations.store import GenerationStore
from imagelayer.generations.wait_budget import WaitBudget
from imagelayer.image_models.registry import registry
from imagelayer.limits.counters import CounterStore, TatMemory
from imagelayer.platform.ids import new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.principals import Mode, Origin, Principal
from imagelayer.platform.table import Item
from imagelayer.webhooks.outbox import WebhookOutbox
from imagelayer.webhooks.store import WebhookStore
from tests.support import cloud_accounts
from tests.support.api_clients import ALL_SCOPES, LOGO, plain_http
from tests.support.cloud_clients import new_address

ALLOWANCE = 1000  # the template's default
PROVIDERS_MODEL = "gpt-image-2"
PRICE = 8  # of an image of it, in credits
SHOP_KEYS: set[str] = set()  # every one that was ever used
_TRACES = itertools.count(1)
_RUN = secrets.token_hex(6)


def new_trace() -> str:
    """A trace id of its own, by which faults meet one request or invocation alone."""
    return f"1-{int(time.time()):08x}-{_RUN}{next(_TRACES):012x}"


class NoQueue:
    """A queue that loses every message: no one but the test works these jobs off."""

    def send(self, message: Mapping[str, Any], **_: Any) -> None:
        """Lose it."""


@dataclass
class Shop:
    """An organization with a key and perhaps a brand with a logo."""

    cloud: LocalCloud
    org_id: str
    key_id: str
    key: str = field(repr=False)
    address: str = ""
    brand_id: str | None = None
    # Of its own, so that a provider's stand-in knows whose work it does.
    prompt: str = field(default_factory=lambda: f"a lamp {secrets.token_hex(8)}")

    @property
    def credits(self) -> CreditStore:
        """Its balances and ledger."""
        return CreditStore(
            self.cloud.client("dynamodb"),
            cloud_accounts.table(self.cloud, "CreditsTable"),
            TatMemory(),
        )

    @property
    def generations(self) -> GenerationStore:
        """Its jobs."""
        return GenerationStore(
            self.cloud.client("dynamodb"), cloud_accounts.table(self.cloud, "GenerationsTable")
        )

    @property
    def brands(self) -> BrandStore:
        """Its brands."""
        return BrandStore(
            self.cloud.client("dynamodb"), cloud_accounts.table(self.cloud, "BrandsTable")
        )

    def call(self, method: str, path: str, *, trace: str = "", **parts: Any) -> httpx.Response:
        """One request with its key."""
        headers = {"Authorization": f"Bearer {self.key}", **parts.pop("headers", {})}
        if trace:
            headers["x-local-trace"] = trace
        transport = plain_http(self.address)
        base_url = self.cloud.base_url
        with httpx.Client(base_url=base_url, transport=transport, timeout=90) as client:
            return client.request(method, path, headers=headers, **parts)

    @property
    def use_cases(self) -> Generations:
        """The request side of jobs in this process; no message of it arrives."""
        dynamodb = self.cloud.client("dynamodb")
        tats = TatMemory()
        sessions = cloud_accounts.table(self.cloud, "SessionsTable")
        security = SecurityLog(lambda _event: None)
        webhooks = WebhookOutbox(
            WebhookStore(dynamodb, cloud_accounts.table(self.cloud, "WebhooksTable")),
            NoQueue(),  # type: ignore[arg-type]
            lambda _what: None,
        )
        alerts = QuotaAlerts(
            self.credits,
            Outbox(NoQueue(), lambda _what: None),  # type: ignore[arg-type]
            security,
            webhooks,
        )
        acceptance = Acceptance(
            store=self.generations,
            brands=BrandSnapshots(self.brands),
            credits=self.credits,
            wallet=Wallet(self.credits, WalletMemory(), ALLOWANCE),
            counters=CounterStore(cloud_accounts.table(self.cloud, "CountersTable"), tats),
            end_user_sessions=EndUserSessionStore(dynamodb, sessions, tats),
            quota_alerts=alerts,
            security=security,
        )
        assets = Assets(self.generations, ObjectStore(lambda: None, "none"))
        return Generations(
            store=self.generations,
            acceptance=acceptance,
            credits=self.credits,
            queue=NoQueue(),  # type: ignore[arg-type]
            assets=assets,
            media=assets.media,
            registry=registry(("openai",)),
            webhooks=webhooks,
            wait_budget=WaitBudget(acceptance.counters),
            quota_alerts=alerts,
            warn=lambda _what: None,
            clock=time.time,
            sleep=time.sleep,
        )

    @property
    def principal(self) -> Principal:
        """Its key, as a caller."""
        return Principal("key", self.org_id, self.key_id, frozenset(ALL_SCOPES))

    def accept(self, **fields: Any) -> Item:
        """A job that waits and that no message names."""
        fixed = {"prompt": self.prompt, "size": "256x256", "brand_id": self.brand_id}
        made = self.use_cases.create_generation(
            self.principal,
            Origin("203.0.113.9", "test"),
            time.time(),
            CreateGenerationRequest(**{**fixed, **fields}),
        )
        return self.job(made.body["id"])

    def ask_provider(self, job: Item) -> None:
        """Lease a job of `PROVIDERS_MODEL` and ask its provider, as a worker does that then dies.
        Its images are asked for and lost."""
        leased = self.generations.lease_generation(
            self.org_id, job["id"], "dead", int(time.time()), int(time.time()) + 150
        )
        assert leased is not None
        assert self.generations.record_asked(leased, leased["n"])
        for _ in range(leased["n"]):
            answer = self.cloud.http.post(
                f"{OPENAI_ROOT}/images/generations",
                headers={"Authorization": f"Bearer {OPENAI_KEY}"},
                json={
                    "model": PROVIDERS_MODEL,
                    "prompt": leased["prompt"],
                    "size": "1024x1024",
                    "n": 1,
                },
            )
            answer.raise_for_status()

    def provider_calls(self) -> int:
        """How often its jobs made a provider work."""
        seen = self.cloud.http.get("/_local/models/calls", params={"match": self.prompt})
        return len(seen.raise_for_status().json())

    def job(self, job_id: str) -> Item:
        """A job as it stands."""
        found = self.generations.get_generation(self.org_id, job_id)
        assert found is not None
        return cast("Item", found)

    def jobs(self) -> list[Item]:
        """All of its jobs."""
        found = self.generations.list_generations(self.org_id, limit=100, after=None)
        return cast("list[Item]", found)

    def everything(self) -> list[Item]:
        """Its jobs and the records of its images."""
        table = cloud_accounts.table(self.cloud, "GenerationsTable")
        return [
            item
            for prefix in ("GEN#", "AST#")
            for item in table.query(f"ORG#{self.org_id}", prefix=prefix)
        ]

    def delete_brand(self) -> None:
        """Delete its brand with the logo."""
        assert self.brands.delete_brand(self.org_id, str(self.brand_id))
        bucket = self.cloud.info["buckets"]["BrandBucket"]
        key = logo_key(self.org_id, str(self.brand_id))
        self.cloud.client("s3").delete_object(Bucket=bucket, Key=key)

    def edit(self, job: Item, **values: Any) -> Item:
        """Change a job behind the product's back, as time would."""
        settings = ", ".join(f"#{name} = :{name}" for name in values)
        return cloud_accounts.table(self.cloud, "GenerationsTable").update(
            job["pk"], job["sk"], f"SET {settings}", **values
        )

    def objects(self) -> list[str]:
        """The keys of its images in the media bucket."""
        listed = self.cloud.client("s3").list_objects_v2(
            Bucket=self.cloud.info["buckets"]["MediaBucket"], Prefix=f"{self.org_id}/"
        )
        return [each["Key"] for each in listed.get("Contents", [])]

    def spent(self) -> tuple[int, int]:
        """Credits used and reserved."""
        balances = self.credits.all_balances(self.org_id)
        return sum(each["used"] for each in balances), sum(each["reserved"] for each in balances)

    def counted(self) -> int:
        """Images that usage shows."""
        rows = self.credits.usage(
            self.org_id, "2000-01-01", "2999-12-31", by_end_user=False, limit=1000
        )
        return sum(row["images"] for row in rows)

    def broken(self) -> list[str]:
        """What does not add up: balances against the ledger, images against the charge."""
        wrong = audit(self.credits, self.org_id, time.time())
        used, _ = self.spent()
        jobs = self.jobs()
        ended = [job for job in jobs if job["status"] in ("succeeded", "failed", "canceled")]
        charged = sum(job["credits"] for job in ended)
        listed = sum(len(job.get("asset_ids", [])) for job in jobs)
        # Those of a job that was stopped after its provider was asked were made for no one.
        stopped = [job for job in ended if job["status"] != "succeeded" and job["credits"]]
        images = sum(job["n"] for job in ended if job["status"] == "succeeded")
        asked = sum(job["asked"] for job in stopped)
        if used != charged:
            wrong.append(f"{used} credits used, jobs cost {charged}")
        if not images == listed == self.counted() - asked:
            wrong.append(f"{images} images, {listed} listed, {self.counted()} counted")
        return wrong


def new_shop(cloud: LocalCloud, *, with_brand: bool = False, org_id: str = "") -> Shop:
    """An organization, one that no one registered unless told: a key is all a request needs."""
    now = time.time()
    org_id = org_id or new_id("org", now)
    key_id, secret = new_key(cloud, org_id)
    shop = Shop(cloud, org_id, key_id, secret, new_address())
    if with_brand:
        shop.brand_id = _brand(shop, now)
    return shop


def new_key(
    cloud: LocalCloud,
    org_id: str,
    *,
    scopes: Iterable[str] = ALL_SCOPES,
    mode: Mode = "live",
    default_brand_id: str | None = None,
) -> tuple[str, str]:
    """A key of an organization, and what its secret is."""
    now = time.time()
    key_id = new_id("key", now)
    secret = key_secrets.new_secret("secret", mode)
    key: NewApiKey = {
        "id": key_id,
        "org_id": org_id,
        "name": "shop",
        "kind": "secret",
        "scopes": cast("list[Scope]", sorted(scopes)),
        "mode": mode,
        "enabled": True,
        "default_brand_id": default_brand_id,
        "created_at": int(now),
        "created_by": "usr_nobody",
        "valid_until": 0,
        "prefix": secret[:12],
        "last_four": secret[-4:],
    }
    store = KeyStore(
        cloud.client("dynamodb"), cloud_accounts.table(cloud, "KeysTable"), TatMemory()
    )
    store.create_key(key, key_secrets.hash_secret(secret))
    SHOP_KEYS.add(secret)
    return key_id, secret


def logo_key(org_id: str, brand_id: str) -> str:
    """Where the logo of a shop's brand lies."""
    return f"logos/{org_id}/{brand_id}/logo.png"


def _brand(shop: Shop, now: float) -> str:
    brand_id = new_id("brd", now)
    key = logo_key(shop.org_id, brand_id)
    shop.cloud.client("s3").put_object(
        Bucket=shop.cloud.info["buckets"]["BrandBucket"], Key=key, Body=LOGO.read_bytes()
    )
    shop.brands.create_brand(
        {
            "id": brand_id,
            "org_id": shop.org_id,
            "version": 1,
            "name": "Solstice",
            "palette": ["#FF6B35", "#1A2B4C"],
            "style": "",
            "tone": [],
            "avoid": [],
            "prompt_suffix": "",
            "logos": {"logo": {"upload_id": "upl_none", "key": key, "width": 1, "height": 1}},
            "created_at": int(now),
            "updated_at": int(now),
        }
    )
    return brand_id


def invoke(cloud: LocalCloud, function: str, event: Mapping[str, Any], trace: str = "") -> Any:
    """Invoke a function directly; None when it died or raised. A trace names the invocation."""
    headers = {"headers": {"x-amzn-trace-id": f"Root={trace}"}} if trace else {}
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.info["functions"][function],
        Payload=json.dumps({**event, **headers}),
    )
    payload = json.loads(answer["Payload"].read() or "null")
    return None if "FunctionError" in answer else payload


def administer(cloud: LocalCloud, action: str, org_id: str, **fields: Any) -> Any:
    """An operator's action."""
    return invoke(cloud, "AdministrationFunction", {"action": action, "org_id": org_id, **fields})
