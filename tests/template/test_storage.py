"""Tables, buckets, queues and secrets as the template declares them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.template import Resolver
from imagelayer.generations.worker import LEASE_SECONDS as JOB_LEASE_SECONDS
from imagelayer.identity.link_tokens import SIGN_UP_SECONDS
from imagelayer.webhooks.delivery import LEASE_SECONDS
from imagelayer.webhooks.sender import TIMEOUT_SECONDS
from imagelayer.webhooks.store import MESSAGE_SECONDS
from tests.support import aws

TABLES = aws.resources("AWS::DynamoDB::Table")
BUCKETS = aws.resources("AWS::S3::Bucket")
QUEUES = aws.resources("AWS::SQS::Queue")
DURABLE = {
    "AccountsTable",
    "KeysTable",
    "CreditsTable",
    "BrandsTable",
    "EventsTable",
    "WebhooksTable",
}
PASSING = {
    "AccountsTable": "expires_at",
    "KeysTable": "purge_at",  # what idempotency keys made; a key itself has no such moment
    "CreditsTable": "purge_at",
    "EventsTable": "expires_at",
    "SessionsTable": "expires_at",
    "SigningKeysTable": "expires_at",
    "CountersTable": "expires_at",
    "GenerationsTable": "purge_at",
    "BrandsTable": "expires_at",
    "WebhooksTable": "purge_at",  # messages and their log; an endpoint has no such moment
}
EVERY_TABLE = pytest.mark.parametrize("table", TABLES)
EVERY_BUCKET = pytest.mark.parametrize("bucket", BUCKETS)
EVERY_QUEUE = pytest.mark.parametrize("queue", QUEUES)


def denials(kind: str) -> list[dict[str, Any]]:
    """The Deny statements of all policies of one kind."""
    return [
        statement
        for policy in aws.resources(kind).values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    ]


def plain_transport_is_denied(kind: str, service: str, resource: str) -> bool:
    return any(
        statement["Action"] == f"{service}:*"
        and statement["Principal"] == "*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and resource in json.dumps(statement["Resource"])
        for statement in denials(kind)
    )


@pytest.mark.promise("encrypted-at-rest")
@EVERY_TABLE
def test_a_table_is_encrypted_and_paid_by_use(table: str) -> None:
    assert TABLES[table]["SSESpecification"] == {"SSEEnabled": True}
    assert TABLES[table]["BillingMode"] == "PAY_PER_REQUEST"


@EVERY_TABLE
def test_a_table_is_durable_or_passing_and_kept_accordingly(table: str) -> None:
    resource, properties = aws.DOCUMENT["Resources"][table], TABLES[table]
    recovery = properties.get("PointInTimeRecoverySpecification", {})
    assert (recovery.get("PointInTimeRecoveryEnabled") is True) == (table in DURABLE)
    assert (resource.get("UpdateReplacePolicy") == "Retain") == (table in DURABLE)
    assert resource.get("DeletionPolicy", "Delete").startswith("Retain") == (table in DURABLE)
    ttl = properties.get("TimeToLiveSpecification")
    assert ttl == ({"AttributeName": PASSING[table], "Enabled": True} if table in PASSING else None)
    assert table in DURABLE or table in PASSING


@pytest.mark.parametrize(("given", "protected"), [("true", True), ("false", False)])
def test_durable_tables_cannot_be_deleted_by_mistake_once_they_are_protected(
    given: str, protected: bool
) -> None:
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, "Stage": "prod", "ProtectTables": given})
    for table in DURABLE:
        properties = resolver.resolve(aws.DOCUMENT["Resources"][table]["Properties"])
        assert properties["DeletionProtectionEnabled"] is protected


@pytest.mark.promise("encrypted-at-rest", "assets-signed")
@EVERY_BUCKET
def test_a_bucket_is_private_and_encrypted(bucket: str) -> None:
    properties = BUCKETS[bucket]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    for forbidden in ("WebsiteConfiguration", "AccessControl", "CorsConfiguration"):
        assert forbidden not in properties


@pytest.mark.promise("assets-signed")
def test_no_bucket_policy_allows_anything() -> None:
    effects = {
        statement["Effect"]
        for policy in aws.resources("AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
    }
    assert effects == {"Deny"}


@pytest.mark.promise("tls-only")
@EVERY_BUCKET
def test_a_bucket_and_its_objects_refuse_plain_transport(bucket: str) -> None:
    kind = "AWS::S3::BucketPolicy"
    assert plain_transport_is_denied(kind, "s3", f'"{bucket}", "Arn"')
    assert plain_transport_is_denied(kind, "s3", f"${{{bucket}.Arn}}/*")


@pytest.mark.promise("tls-only")
@EVERY_QUEUE
def test_a_queue_refuses_plain_transport(queue: str) -> None:
    assert plain_transport_is_denied("AWS::SQS::QueuePolicy", "sqs", f'"{queue}", "Arn"')


@EVERY_BUCKET
def test_a_bucket_outlives_the_stack_with_its_policy_and_no_deleted_object_stays(
    bucket: str,
) -> None:
    for name in (bucket, f"{bucket}Policy"):
        resource = aws.DOCUMENT["Resources"][name]
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"
    # A version would keep what was deleted: media for its 72 hours, a logo with its brand.
    assert "VersioningConfiguration" not in BUCKETS[bucket]


@EVERY_BUCKET
def test_incomplete_uploads_are_dropped_after_a_day(bucket: str) -> None:
    rules = BUCKETS[bucket]["LifecycleConfiguration"]["Rules"]
    assert any(
        rule.get("AbortIncompleteMultipartUpload") == {"DaysAfterInitiation": 1}
        and rule["Status"] == "Enabled"
        for rule in rules
    )


@pytest.mark.promise("media-72h")
def test_media_is_dropped_after_three_days_and_no_version_of_it_stays() -> None:
    media = BUCKETS["MediaBucket"]
    expiring = [
        rule for rule in media["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule
    ]
    assert {rule["Status"] for rule in expiring} == {"Enabled"}
    # One for everything, and an earlier one for what only repeats it.
    assert {rule.get("Prefix"): rule["ExpirationInDays"] for rule in expiring} == {
        None: 3,
        "answers/": 1,
    }
    assert not any("TagFilters" in rule for rule in expiring)
    assert "VersioningConfiguration" not in media


@pytest.mark.promise("assets-signed")
def test_media_refuses_signatures_older_than_the_links_we_hand_out() -> None:
    (age,) = [
        statement
        for statement in denials("AWS::S3::BucketPolicy")
        if "s3:signatureAge" in json.dumps(statement)
    ]
    assert "MediaBucket" in json.dumps(age["Resource"])
    limit = int(age["Condition"]["NumericGreaterThan"]["s3:signatureAge"])
    assert 300_000 <= limit <= 900_000


@pytest.mark.promise("encrypted-at-rest")
@EVERY_QUEUE
def test_a_queue_is_encrypted(queue: str) -> None:
    assert QUEUES[queue]["SqsManagedSseEnabled"] is True


def test_a_job_gets_time_and_attempts_before_it_is_a_dead_letter() -> None:
    worker = aws.DOCUMENT["Resources"]["GenerationWorkerFunction"]["Properties"]
    source = worker["Events"]["Queued"]["Properties"]
    queue = QUEUES[source["Queue"]["Fn::GetAtt"][0]]
    # Lambda takes no less than the timeout. No longer than a job's deadline, or the retry is late.
    assert worker["Timeout"] < queue["VisibilityTimeout"] <= JOB_LEASE_SECONDS
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    dead = QUEUES[queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.promise("media-72h", "no-training")
def test_no_message_outlives_the_jobs_72_hours() -> None:
    assert QUEUES["GenerationQueue"]["MessageRetentionPeriod"] <= 72 * 3600


@pytest.mark.parametrize("queue", [name for name in QUEUES if name.endswith("DeadLetters")])
def test_a_dead_letter_raises_an_alarm(queue: str) -> None:
    alarms = aws.resources("AWS::CloudWatch::Alarm").values()
    watched = [
        alarm
        for alarm in alarms
        if alarm.get("Dimensions")
        == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}]
    ]
    assert [alarm["MetricName"] for alarm in watched] == ["ApproximateNumberOfMessagesVisible"]


def test_a_mail_gets_time_and_attempts_before_it_is_a_dead_letter() -> None:
    sender = aws.DOCUMENT["Resources"]["MailFunction"]["Properties"]
    source = sender["Events"]["Asked"]["Properties"]
    queue = QUEUES[source["Queue"]["Fn::GetAtt"][0]]
    assert 2 * sender["Timeout"] <= queue["VisibilityTimeout"] <= 60  # a person waits
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    dead = QUEUES[queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    # One that fails does not send the others of its batch twice.
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_webhook_gets_time_and_attempts_before_it_is_a_dead_letter() -> None:
    sender = aws.DOCUMENT["Resources"]["WebhookDeliveryFunction"]["Properties"]
    source = sender["Events"]["Queued"]["Properties"]
    queue = QUEUES[source["Queue"]["Fn::GetAtt"][0]]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # One slow receiver holds no one else's message up, and a lease outlives its worker.
    assert source["BatchSize"] == 1
    assert TIMEOUT_SECONDS * 2 < sender["Timeout"] < LEASE_SECONDS < queue["VisibilityTimeout"]


@EVERY_QUEUE
def test_an_outage_of_a_quarter_of_an_hour_makes_no_dead_letter(queue: str) -> None:
    if redrive := QUEUES[queue].get("RedrivePolicy"):
        assert redrive["maxReceiveCount"] * QUEUES[queue]["VisibilityTimeout"] >= 900


def test_a_message_to_an_endpoint_outlives_no_message_of_the_queue() -> None:
    assert QUEUES["WebhookQueue"]["MessageRetentionPeriod"] <= MESSAGE_SECONDS


def test_what_a_mail_is_about_is_kept_longer_than_its_message() -> None:
    assert QUEUES["MailQueue"]["MessageRetentionPeriod"] < SIGN_UP_SECONDS


TOPICS = aws.resources("AWS::SNS::Topic")
PUBLISHERS = {"MailFeedbackTopic": "ses.amazonaws.com", "AlarmTopic": "cloudwatch.amazonaws.com"}


@pytest.mark.promise("encrypted-at-rest")
@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_encrypted_with_a_key_of_ours_that_rotates(topic: str) -> None:
    key = aws.resources("AWS::KMS::Key")[TOPICS[topic]["KmsMasterKeyId"]["Ref"]]
    assert key["EnableKeyRotation"] is True


@pytest.mark.parametrize("key", aws.resources("AWS::KMS::Key"))
def test_a_key_is_used_by_this_account_and_on_its_behalf_by_those_who_publish_alone(
    key: str,
) -> None:
    own, *services = aws.resources("AWS::KMS::Key")[key]["KeyPolicy"]["Statement"]
    assert own["Principal"] == {
        "AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    }
    assert [each["Principal"] for each in services] == [
        {"Service": each} for each in PUBLISHERS.values()
    ]
    for statement in services:
        assert set(statement["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        }


@pytest.mark.promise("tls-only")
@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_refuses_plain_transport_and_takes_from_one_service_of_this_account_alone(
    topic: str,
) -> None:
    (policy,) = [
        each
        for each in aws.resources("AWS::SNS::TopicPolicy").values()
        if each["Topics"] == [{"Ref": topic}]
    ]
    allowed, denied = policy["PolicyDocument"]["Statement"]
    assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
    assert allowed["Principal"] == {"Service": PUBLISHERS[topic]}
    assert allowed["Action"] == denied["Action"] == "sns:Publish"
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
    assert denied["Principal"] == "*"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed["Resource"] == denied["Resource"] == {"Ref": topic}


@pytest.mark.promise("tls-only")
def test_mail_goes_out_over_tls_or_not_at_all() -> None:
    sets = aws.resources("AWS::SES::ConfigurationSet")
    assert [each["DeliveryOptions"] for each in sets.values()] == [{"TlsPolicy": "REQUIRE"}]
    sender = aws.DOCUMENT["Resources"]["MailFunction"]["Properties"]["Environment"]["Variables"]
    assert sender["MAIL_CONFIGURATION_SET"]["Ref"] in sets


def test_bounces_and_complaints_come_back_and_stop_further_mail() -> None:
    resources = aws.DOCUMENT["Resources"]
    (destination,) = aws.resources("AWS::SES::ConfigurationSetEventDestination").values()
    assert destination["ConfigurationSetName"] == {"Ref": "MailConfiguration"}
    event = destination["EventDestination"]
    assert event["Enabled"] is True
    assert set(event["MatchingEventTypes"]) == {"BOUNCE", "COMPLAINT"}
    topic = event["SnsDestination"]["TopicARN"]
    (source,) = resources["MailFeedbackFunction"]["Properties"]["Events"].values()
    assert source == {"Type": "SNS", "Properties": {"Topic": topic}}
    suppressed = resources["MailConfiguration"]["Properties"]["SuppressionOptions"]
    assert set(suppressed["SuppressedReasons"]) == {"BOUNCE", "COMPLAINT"}


@pytest.mark.parametrize("secret", ["PepperSecret", "SigningSecret", "WebhookSecret"])
def test_our_own_secrets_are_generated_in_the_account_with_enough_randomness(secret: str) -> None:
    generated = aws.resources("AWS::SecretsManager::Secret")[secret]["GenerateSecretString"]
    assert generated["PasswordLength"] >= 64
    assert generated["ExcludePunctuation"] is True
    assert json.loads(generated["SecretStringTemplate"]) == {}
