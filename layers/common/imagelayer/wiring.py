"""The one place that builds clients and hands them to stores, and stores to use cases.

Everything is made on first use and kept for the life of the process. Building a client reads its
service description; importing this module does neither that nor any network call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from imagelayer.security_events import SecurityLog
from imagelayer.settings import Settings

if TYPE_CHECKING:
    from botocore.session import Session
    from urllib3 import PoolManager

    from imagelayer.acceptance import Acceptance
    from imagelayer.administration import Operator
    from imagelayer.api_keys import ApiKeys
    from imagelayer.assets import Assets
    from imagelayer.brand_intake import BrandIntake
    from imagelayer.brands import Brands
    from imagelayer.cleanup import Cleanup
    from imagelayer.credentials import Credentials
    from imagelayer.credits import Wallet
    from imagelayer.dead_letters import DeadLetters
    from imagelayer.email_policy import DomainLists
    from imagelayer.end_users import EndUsers
    from imagelayer.generation_worker import GenerationWorker
    from imagelayer.generations import Generations
    from imagelayer.leaked_keys import LeakedKeys
    from imagelayer.login import Login
    from imagelayer.mail_feedback import MailFeedback
    from imagelayer.mail_worker import MailWorker
    from imagelayer.members import Members
    from imagelayer.model_probe import Lifecycle, ModelProbe
    from imagelayer.models import Registry
    from imagelayer.openai_images import OpenAiImages
    from imagelayer.outbox import Outbox
    from imagelayer.password_changes import PasswordChanges
    from imagelayer.password_check import PasswordCheck
    from imagelayer.passwords import Peppers
    from imagelayer.plans import Plans
    from imagelayer.providers.calls import Attempts
    from imagelayer.providers.models import ImageModel
    from imagelayer.quota_alerts import QuotaAlerts
    from imagelayer.registration import Registration
    from imagelayer.second_factor import SecondFactor, Verifier
    from imagelayer.secret_rotation import Rotation
    from imagelayer.sessions import Sessions
    from imagelayer.stores.accounts import AccountStore, SuppressionStore
    from imagelayer.stores.brands import BrandStore
    from imagelayer.stores.counters import CounterStore, TatMemory
    from imagelayer.stores.credits import CreditStore
    from imagelayer.stores.end_user_sessions import EndUserSessionStore
    from imagelayer.stores.events import EventStore
    from imagelayer.stores.generations import GenerationStore
    from imagelayer.stores.keys import KeyStore
    from imagelayer.stores.mail import Mailer
    from imagelayer.stores.objects import ObjectStore
    from imagelayer.stores.queue import Queue
    from imagelayer.stores.secrets import SecretStore
    from imagelayer.stores.sessions import SessionStore
    from imagelayer.stores.table import Table
    from imagelayer.stores.webhooks import WebhookStore
    from imagelayer.tokens import SigningKey
    from imagelayer.usage import UsageReport
    from imagelayer.webhook_outbox import WebhookOutbox
    from imagelayer.webhook_signing import RootKeys
    from imagelayer.webhook_worker import WebhookWorker
    from imagelayer.webhooks import Webhooks

# Seconds to connect and to read, and attempts by the SDK. Short, because a caller waits: a limiter
# that hangs must be a denial within two seconds. What calls DynamoDB makes its own second attempt
# (`stores.table`), since the SDK may pause for a second before it.
_TIMEOUTS: Mapping[str, tuple[float, float, int]] = {
    "dynamodb": (0.3, 0.6, 1),
    "sqs": (0.5, 1.0, 2),
    "secretsmanager": (0.5, 1.0, 2),
    "sesv2": (1.0, 5.0, 2),
    "s3": (1.0, 5.0, 2),
}


class Wiring:
    """Settings, clients, stores and use cases of one function."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._one_at_a_time = Lock()

    @cached_property
    def log(self) -> Logger:
        """Structured logs; the service is the function's name."""
        return Logger(service=self.settings.need("FUNCTION"), log_uncaught_exceptions=False)

    @cached_property
    def security(self) -> SecurityLog:
        """Security events: log lines of their own, and where the function has the table, records
        for their organization."""

        def emit(event: Mapping[str, Any]) -> None:
            self.log.info("security_event", **event)

        if "EVENTS_TABLE" not in self.settings.environment:
            return SecurityLog(emit)

        def keep(event: Mapping[str, Any]) -> None:
            # The table is opened with the first event that is kept; most calls cause none.
            self.events.keep(event)

        return SecurityLog(emit, keep)

    @cached_property
    def _metrics(self) -> Metrics:
        return Metrics(namespace="ImageLayer", service=self.settings.need("FUNCTION"))

    def count(self, name: str) -> None:
        """Count one occurrence in CloudWatch's embedded metric format."""
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        self._metrics.flush_metrics()

    @cached_property
    def _session(self) -> Session:
        from botocore.session import Session

        return Session()

    @cached_property
    def _clock(self) -> Callable[[], float]:
        import time

        return time.time

    @cached_property
    def _sleep(self) -> Callable[[float], None]:
        import time

        return time.sleep

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """A client of an AWS service, made once."""
        if service not in self._clients:
            from botocore.config import Config

            connect, read, attempts = _TIMEOUTS[service]
            self._clients[service] = self._session.create_client(
                service,
                region_name=self.settings.region,
                config=Config(
                    connect_timeout=connect,
                    read_timeout=read,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    # Without this botocore signs S3 links with SigV2 in older regions.
                    signature_version="s3v4" if service == "s3" else None,
                    # Without this it signs for the global host, which redirects or refuses
                    # outside us-east-1 and so breaks the signature.
                    s3={"addressing_style": "virtual"},
                    tcp_keepalive=True,
                ),
            )
        return self._clients[service]

    def _table(self, setting: str) -> Table:
        from imagelayer.stores.table import Table

        return Table(self.client("dynamodb"), self.settings.need(setting))

    @cached_property
    def _tats(self) -> TatMemory:
        from imagelayer.stores.counters import TatMemory

        return TatMemory()

    @cached_property
    def secrets(self) -> SecretStore:
        from imagelayer.stores.secrets import SecretStore

        return SecretStore(self.client("secretsmanager"))

    @cached_property
    def counters(self) -> CounterStore:
        from imagelayer.stores.counters import CounterStore

        return CounterStore(self._table("COUNTERS_TABLE"), self._tats)

    @cached_property
    def accounts(self) -> AccountStore:
        from imagelayer.stores.accounts import AccountStore

        return AccountStore(self.client("dynamodb"), self._table("ACCOUNTS_TABLE"))

    @cached_property
    def events(self) -> EventStore:
        import time

        from imagelayer.stores.events import EventStore

        return EventStore(
            self._table("EVENTS_TABLE"), time.time, lambda: self.count("SecurityEventNotKept")
        )

    @cached_property
    def suppressions(self) -> SuppressionStore:
        from imagelayer.stores.accounts import SuppressionStore

        return SuppressionStore(self._table("ACCOUNTS_TABLE"))

    @cached_property
    def end_user_sessions(self) -> EndUserSessionStore:
        from imagelayer.stores.end_user_sessions import EndUserSessionStore

        return EndUserSessionStore(
            self.client("dynamodb"), self._table("SESSIONS_TABLE"), self._tats
        )

    @cached_property
    def sessions(self) -> SessionStore:
        from imagelayer.stores.sessions import SessionStore

        return SessionStore(self._table("SESSIONS_TABLE"), self._tats)

    @cached_property
    def keys(self) -> KeyStore:
        from imagelayer.stores.keys import KeyStore

        return KeyStore(self.client("dynamodb"), self._table("KEYS_TABLE"), self._tats)

    @cached_property
    def brand_store(self) -> BrandStore:
        from imagelayer.stores.brands import BrandStore

        return BrandStore(self.client("dynamodb"), self._table("BRANDS_TABLE"))

    @cached_property
    def generation_store(self) -> GenerationStore:
        from imagelayer.stores.generations import GenerationStore

        return GenerationStore(self.client("dynamodb"), self._table("GENERATIONS_TABLE"))

    @cached_property
    def credits(self) -> CreditStore:
        from imagelayer.stores.credits import CreditStore

        return CreditStore(self.client("dynamodb"), self._table("CREDITS_TABLE"), self._tats)

    @cached_property
    def _wallet(self) -> Wallet:
        from imagelayer.credits import Wallet, WalletMemory

        return Wallet(self.credits, WalletMemory(), self._monthly_credits)

    @property
    def _monthly_credits(self) -> int:
        return self.settings.number("MONTHLY_CREDITS", 1000)

    @cached_property
    def media(self) -> ObjectStore:
        from imagelayer.stores.objects import ObjectStore

        return ObjectStore(lambda: self.client("s3"), self.settings.need("MEDIA_BUCKET"))

    @cached_property
    def brand_objects(self) -> ObjectStore:
        from imagelayer.stores.objects import ObjectStore

        return ObjectStore(lambda: self.client("s3"), self.settings.need("BRAND_BUCKET"))

    @cached_property
    def queue(self) -> Queue:
        from imagelayer.stores.queue import Queue

        return Queue(lambda: self.client("sqs"), self.settings.need("GENERATION_QUEUE_URL"))

    @cached_property
    def outbox(self) -> Outbox:
        from imagelayer.outbox import Outbox
        from imagelayer.stores.queue import Queue

        queue = Queue(lambda: self.client("sqs"), self.settings.need("MAIL_QUEUE_URL"))
        return Outbox(queue, self._mail_lost)

    def _mail_lost(self, what: str) -> None:
        self.log.warning(what)
        self.count("MailNotAskedFor")

    @cached_property
    def webhook_store(self) -> WebhookStore:
        from imagelayer.stores.webhooks import WebhookStore

        return WebhookStore(self.client("dynamodb"), self._table("WEBHOOKS_TABLE"))

    @cached_property
    def _webhook_queue(self) -> Queue:
        from imagelayer.stores.queue import Queue

        return Queue(lambda: self.client("sqs"), self.settings.need("WEBHOOK_QUEUE_URL"))

    @cached_property
    def webhook_outbox(self) -> WebhookOutbox:
        """What tells endpoints that something happened."""
        from imagelayer.webhook_outbox import WebhookOutbox

        return WebhookOutbox(self.webhook_store, self._webhook_queue, self.log.warning)

    @cached_property
    def webhooks(self) -> Webhooks:
        """The life of webhook endpoints."""
        from imagelayer.webhooks import Webhooks

        return Webhooks(
            store=self.webhook_store,
            queue=self._webhook_queue,
            roots=self._webhook_roots,
            security=self.security,
            loopback=self.settings.webhook_loopback,
            warn=self.log.warning,
        )

    @cached_property
    def webhook_worker(self) -> WebhookWorker:
        """Webhooks, on the queue's side."""
        import random
        import secrets

        from imagelayer.providers.webhook_http import WebhookHttp
        from imagelayer.webhook_worker import WebhookWorker

        return WebhookWorker(
            store=self.webhook_store,
            queue=self._webhook_queue,
            outbox=self.webhook_outbox,
            sender=WebhookHttp(loopback=self.settings.webhook_loopback),
            roots=self._webhook_roots,
            security=self.security,
            warn=self.log.warning,
            clock=self._clock,
            random=random.random,
            token=secrets.token_hex,
        )

    def _webhook_roots(self, needed: str = "") -> RootKeys:
        from imagelayer.webhook_signing import RootKeys

        secret_id = self.settings.need("WEBHOOK_SECRET_ID")
        secret = self.secrets.read(secret_id)
        found = RootKeys.of(secret["current"], *secret.get("previous", []))
        if needed and needed not in found.keys:
            secret = self.secrets.read(secret_id, fresh=True)
            found = RootKeys.of(secret["current"], *secret.get("previous", []))
        return found

    @cached_property
    def mailer(self) -> Mailer:
        from imagelayer.stores.mail import Mailer

        return Mailer(
            self.client("sesv2"),
            self.settings.need("MAIL_FROM"),
            self.settings.need("MAIL_CONFIGURATION_SET"),
        )

    @cached_property
    def credentials(self) -> Credentials:
        """Who calls."""
        from imagelayer.credentials import Credentials

        return Credentials(
            self.keys,
            self.sessions,
            self.end_user_sessions,
            self.counters,
            self.security,
            self.settings.base_url,
        )

    @cached_property
    def _domains(self) -> DomainLists:
        from imagelayer.email_policy import DomainLists

        return DomainLists.read(
            self.settings.environment.get("ALLOWED_EMAIL_DOMAINS", ""),
            self.settings.environment.get("DENIED_EMAIL_DOMAINS", ""),
        )

    @property
    def _bcrypt_cost(self) -> int:
        return self.settings.number("BCRYPT_COST", 12)

    @cached_property
    def registration(self) -> Registration:
        """Sign-up, confirmation, invitations that are accepted."""
        import urllib3

        from imagelayer.providers.turnstile import Turnstile
        from imagelayer.registration import Registration

        turnstile = Turnstile(
            http=urllib3.PoolManager(),
            url=self.settings.turnstile_url,
            secret=lambda: self.secrets.read(self.settings.need("TURNSTILE_SECRET_ID"))["secret"],
            hostnames=[
                name.strip() for name in self.settings.need("TURNSTILE_HOSTNAMES").split(",")
            ],
            action="register",
            allow_test_secrets=self.settings.is_local,
            alarm=lambda: self.count("CaptchaMisconfigured"),
        )
        return Registration(
            accounts=self.accounts,
            counters=self.counters,
            outbox=self.outbox,
            turnstile=turnstile,
            security=self.security,
            peppers=self._peppers,
            bcrypt_cost=self._bcrypt_cost,
            daily_cap=self.settings.number("REGISTRATIONS_PER_IP_PER_DAY", 10),
            domains=self._domains,
        )

    @cached_property
    def user_sessions(self) -> Sessions:
        """Sessions that end together with what they rest on."""
        from imagelayer.sessions import Sessions

        return Sessions(self.accounts, self.sessions)

    @cached_property
    def _password_check(self) -> PasswordCheck:
        from imagelayer.password_check import PasswordCheck

        return PasswordCheck(
            self.accounts, self.counters, self.security, self._peppers, self._bcrypt_cost
        )

    @cached_property
    def _verifier(self) -> Verifier:
        from imagelayer.second_factor import Verifier

        return Verifier(self.counters, self._peppers)

    @cached_property
    def login(self) -> Login:
        """Logins and their sessions."""
        from imagelayer.login import Login

        return Login(
            accounts=self.accounts,
            sessions=self.sessions,
            ended=self.user_sessions,
            counters=self.counters,
            verifier=self._verifier,
            outbox=self.outbox,
            security=self.security,
            peppers=self._peppers,
            signing_key=self._signing_key,
            bcrypt_cost=self._bcrypt_cost,
            issuer=self.settings.base_url,
        )

    @cached_property
    def password_changes(self) -> PasswordChanges:
        """New passwords."""
        from imagelayer.password_changes import PasswordChanges

        return PasswordChanges(
            accounts=self.accounts,
            sessions=self.user_sessions,
            passwords=self._password_check,
            outbox=self.outbox,
            security=self.security,
            peppers=self._peppers,
            bcrypt_cost=self._bcrypt_cost,
        )

    @cached_property
    def second_factor(self) -> SecondFactor:
        """The second factor, set up and taken down."""
        from imagelayer.second_factor import SecondFactor

        return SecondFactor(
            accounts=self.accounts,
            sessions=self.user_sessions,
            passwords=self._password_check,
            verifier=self._verifier,
            security=self.security,
            outbox=self.outbox,
            peppers=self._peppers,
        )

    @cached_property
    def end_users(self) -> EndUsers:
        """Sessions of the customers' own users."""
        from imagelayer.end_users import EndUsers

        return EndUsers(
            store=self.end_user_sessions,
            keys=self.keys,
            public_keys=self.sessions,
            security=self.security,
            signing_key=self._signing_key,
            issuer=self.settings.base_url,
        )

    @cached_property
    def members(self) -> Members:
        """The organization and who belongs to it."""
        from imagelayer.members import Members

        return Members(
            accounts=self.accounts,
            sessions=self.user_sessions,
            events=self.events,
            counters=self.counters,
            outbox=self.outbox,
            security=self.security,
            domains=self._domains,
        )

    @cached_property
    def mail_worker(self) -> MailWorker:
        """Mails that were asked for."""
        from imagelayer.mail_worker import MailWorker

        return MailWorker(
            accounts=self.accounts,
            suppressions=self.suppressions,
            counters=self.counters,
            mailer=self.mailer,
            security=self.security,
            base_url=self.settings.base_url,
        )

    @cached_property
    def mail_feedback(self) -> MailFeedback:
        """Mails that were not wanted."""
        from imagelayer.mail_feedback import MailFeedback

        return MailFeedback(self.accounts, self.suppressions, self.security)

    @cached_property
    def signing_rotation(self) -> Rotation:
        """New signing keys."""
        from imagelayer.secret_rotation import signing_rotation

        return signing_rotation(self.secrets, self.sessions, self.security)

    @cached_property
    def pepper_rotation(self) -> Rotation:
        """New peppers."""
        from imagelayer.secret_rotation import pepper_rotation

        return pepper_rotation(self.secrets, self.security)

    @cached_property
    def api_keys(self) -> ApiKeys:
        """The life of API keys."""
        from imagelayer.api_keys import ApiKeys

        return ApiKeys(
            self.keys,
            self.end_user_sessions,
            self.outbox,
            self.security,
            self._derivation_key,
        )

    def _derivation_key(self) -> bytes:
        secret: str = self.secrets.read(self.settings.need("DERIVATION_SECRET_ID"))["key"]
        return secret.encode()

    @cached_property
    def leaked_keys(self) -> LeakedKeys:
        """Keys found in public."""
        import time

        import urllib3

        from imagelayer.leaked_keys import LeakedKeys
        from imagelayer.providers.secret_scanning import ScannerKeys

        scanner = ScannerKeys(urllib3.PoolManager(), self.settings.secret_scanning_url, time.time)
        return LeakedKeys(
            self.keys, self.end_user_sessions, self.outbox, self.security, scanner.find
        )

    @cached_property
    def operator(self) -> Operator:
        """What the operator's actions need."""
        from imagelayer.administration import Operator

        return Operator(self.plans, self._dead_letters)

    def _dead_letters(self) -> DeadLetters:
        from imagelayer.dead_letters import DeadLetters
        from imagelayer.stores.queue import Queue

        queue = Queue(lambda: self.client("sqs"), self.settings.need("DEAD_LETTERS_URL"))
        return DeadLetters(queue, self.generation_store)

    @cached_property
    def plans(self) -> Plans:
        """What the operator decides."""
        from imagelayer.plans import Plans

        return Plans(self.accounts, self.credits, self.keys, self.security, self._monthly_credits)

    @cached_property
    def usage(self) -> UsageReport:
        """What an organization used."""
        from imagelayer.usage import UsageReport

        return UsageReport(self.credits, self._monthly_credits)

    @cached_property
    def brands(self) -> Brands:
        """Brands and their files."""
        from imagelayer.brands import Brands

        return Brands(self.brand_store, self.brand_objects)

    @cached_property
    def brand_intake(self) -> BrandIntake:
        """What was uploaded."""
        from imagelayer.brand_intake import BrandIntake

        return BrandIntake(self.brand_store, self.brand_objects, self.security)

    @cached_property
    def assets(self) -> Assets:
        """Finished images."""
        from imagelayer.assets import Assets

        return Assets(self.generation_store, self.media)

    @cached_property
    def models(self) -> Registry:
        """The image models that may be asked for."""
        from imagelayer.models import registry

        custom = self.settings.environment.get("CUSTOM_MODELS", "")
        return registry(self.settings.image_providers, custom)

    @cached_property
    def generations(self) -> Generations:
        """Jobs, on the request side."""
        from imagelayer.generations import Generations

        return Generations(
            store=self.generation_store,
            acceptance=self._acceptance,
            credits=self.credits,
            queue=self.queue,
            assets=self.assets,
            media=self.media,
            models=self.models,
            webhooks=self.webhook_outbox,
            warn=self.log.warning,
            clock=self._clock,
            sleep=self._sleep,
        )

    @cached_property
    def openai_images(self) -> OpenAiImages:
        """Jobs and models, as OpenAI's clients ask for them."""
        from imagelayer.openai_images import OpenAiImages

        return OpenAiImages(self.generations, self.media, self._clock)

    @cached_property
    def _acceptance(self) -> Acceptance:
        from imagelayer.acceptance import Acceptance
        from imagelayer.brand_snapshots import BrandMemory, BrandSnapshots

        return Acceptance(
            store=self.generation_store,
            brands=BrandSnapshots(self.brand_store, BrandMemory()),
            credits=self.credits,
            wallet=self._wallet,
            counters=self.counters,
            end_users=self.end_user_sessions,
            quota_alerts=self._quota_alerts,
            security=self.security,
        )

    @cached_property
    def _quota_alerts(self) -> QuotaAlerts:
        from imagelayer.quota_alerts import QuotaAlerts

        return QuotaAlerts(self.credits, self.outbox, self.security, self.webhook_outbox)

    @cached_property
    def generation_worker(self) -> GenerationWorker:
        """Jobs, on the queue's side."""
        import time

        from imagelayer.generation_worker import GenerationWorker

        return GenerationWorker(
            store=self.generation_store,
            credits=self.credits,
            brand_objects=self.brand_objects,
            media=self.media,
            models=self.models,
            providers=self._providers,
            webhooks=self.webhook_outbox,
            quota_alerts=self._quota_alerts,
            clock=time.time,
        )

    @cached_property
    def _providers(self) -> Mapping[str, ImageModel]:
        from imagelayer.providers.lazily import Lazily
        from imagelayer.providers.studio import Studio

        return Lazily(
            {
                "studio": Studio,
                "openai": self._openai,
                "google": self._google,
                "bedrock": self._bedrock,
            }
        )

    def _openai(self) -> ImageModel:
        from imagelayer.providers.openai import OpenAi

        return OpenAi(self._http, *self._reach("openai"), self._attempts())

    def _google(self) -> ImageModel:
        from imagelayer.providers.google import Google

        return Google(self._http, *self._reach("google"), self._attempts())

    def _bedrock(self) -> ImageModel:
        from imagelayer.providers.bedrock import Bedrock

        return Bedrock(self._bedrock_client, self._attempts())

    def _attempts(self) -> Attempts:
        import random

        from imagelayer.providers.calls import Attempts

        return Attempts(self._clock, self._sleep, random.random, self._provider_failed)

    def _provider_failed(self, about: Mapping[str, Any]) -> None:
        if about["code"] == "content_filtered":
            return
        self.log.warning("provider_failed", extra=dict(about))
        if about["code"] in {"model_unavailable", "provider_misconfigured", "provider_quota"}:
            self.count("ProviderNeedsAttention")

    @cached_property
    def _http(self) -> PoolManager:
        import urllib3

        return urllib3.PoolManager()

    def _reach(self, provider: str) -> tuple[str, Callable[[], str]]:
        """The address of a provider and what gives its key."""
        # Made here and not with the first key, which several threads may ask for at once.
        secrets, secret_id = self.secrets, self.settings.need("PROVIDER_SECRET_ID")
        base_url = self.settings.need(f"{provider.upper()}_BASE_URL").rstrip("/")
        return base_url, lambda: str(secrets.read(secret_id)[provider])

    def _bedrock_client(self, seconds: float, service: str = "bedrock-runtime") -> Any:
        """A client that waits so long for an answer and tries nothing again."""
        from botocore.config import Config

        # A session makes one client at a time.
        with self._one_at_a_time:
            return self._session.create_client(
                service,
                region_name=self.settings.need("BEDROCK_REGION"),
                endpoint_url=self.settings.environment.get("BEDROCK_ENDPOINT_URL") or None,
                config=Config(
                    connect_timeout=min(5.0, seconds),
                    read_timeout=seconds,
                    retries={"mode": "standard", "total_max_attempts": 1},
                ),
            )

    @cached_property
    def model_probe(self) -> ModelProbe:
        """Models that will be shut down."""
        from imagelayer.model_probe import ModelProbe
        from imagelayer.providers.lifecycles import (
            TIMEOUT_SECONDS,
            BedrockLifecycles,
            GoogleLifecycles,
            OpenAiLifecycles,
        )

        made: dict[str, Callable[[], Callable[[str], Lifecycle]]] = {
            "openai": lambda: OpenAiLifecycles(self._http, *self._reach("openai")),
            "google": lambda: GoogleLifecycles(self._http, *self._reach("google")),
            "bedrock": lambda: BedrockLifecycles(
                lambda: self._bedrock_client(TIMEOUT_SECONDS, "bedrock")
            ),
        }
        return ModelProbe(
            self.models,
            {name: made[name]() for name in self.settings.image_providers},
            lambda event, about: self.log.warning(event, extra=dict(about)),
            self.count,
        )

    @cached_property
    def cleanup(self) -> Cleanup:
        """The sweep."""
        from imagelayer.cleanup import Cleanup

        return Cleanup(
            store=self.generation_store,
            accounts=self.accounts,
            credits=self.credits,
            media=self.media,
            queue=self.queue,
            webhooks=self.webhook_outbox,
            security=self.security,
            warn=self.log.warning,
        )

    def _peppers(self, needed: str = "") -> Peppers:
        from imagelayer.passwords import Peppers

        secret_id = self.settings.need("PEPPER_SECRET_ID")
        secret = self.secrets.read(secret_id)
        found = Peppers.of(secret["current"], *secret.get("previous", []))
        if needed and needed not in found.keys:
            secret = self.secrets.read(secret_id, fresh=True)
            found = Peppers.of(secret["current"], *secret.get("previous", []))
        return found

    def _signing_key(self) -> SigningKey:
        from imagelayer.tokens import signing_key

        return signing_key(self.secrets.read(self.settings.need("SIGNING_SECRET_ID"))["seed"])


@cache
def current() -> Wiring:
    """The wiring of this process, from its environment."""
    return Wiring(Settings.read(os.environ))
