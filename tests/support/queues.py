"""What waits in queues, delivered to the functions that consume it."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from moto.ses.models import ses_backends
from moto.sqs.models import sqs_backends

from tests.support import aws
from tests.support.stored_data import StoredData


class Queues(StoredData):
    """Deliveries of SQS and S3, made when a test calls for them."""

    def deliver_mail(self) -> None:
        """Let the mail function work its queue off."""
        sqs = aws.client("sqs")
        while messages := sqs.receive_message(
            QueueUrl=self.names["MailQueue"],
            MaxNumberOfMessages=1,
            AttributeNames=["ApproximateReceiveCount"],
        ).get("Messages"):
            message = messages[0]
            record = {
                "messageId": message["MessageId"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            if not self.invoke("mail", {"Records": [record]})["batchItemFailures"]:
                sqs.delete_message(
                    QueueUrl=self.names["MailQueue"], ReceiptHandle=message["ReceiptHandle"]
                )

    def mails(self) -> list[Any]:
        """Captured mails, oldest first, once all that were asked for are out."""
        self.deliver_mail()
        return list(ses_backends[aws.ACCOUNT][aws.REGION].sent_messages)

    def asked_mails(self) -> list[dict[str, Any]]:
        """The messages that wait for the mail function, as they stand in the queue."""
        name = self.names["MailQueue"].rpartition("/")[2]
        waiting = sqs_backends[aws.ACCOUNT][aws.REGION].queues[name].messages
        return [json.loads(message.body) for message in waiting]

    def work_queue(self) -> int:
        """Deliver every queued message to the worker; returns how many."""
        sqs = aws.client("sqs")
        delivered = 0
        while messages := sqs.receive_message(
            QueueUrl=self.names["GenerationQueue"], MaxNumberOfMessages=1
        ).get("Messages"):
            message = messages[0]
            result = self.invoke(
                "generation_worker",
                {"Records": [{"messageId": message["MessageId"], "body": message["Body"]}]},
            )
            if not result["batchItemFailures"]:
                sqs.delete_message(
                    QueueUrl=self.names["GenerationQueue"], ReceiptHandle=message["ReceiptHandle"]
                )
            delivered += 1
        return delivered

    def queued(self) -> int:
        """How many messages wait in the generation queue."""
        attributes = aws.client("sqs").get_queue_attributes(
            QueueUrl=self.names["GenerationQueue"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    def deliver_upload(self, upload: dict[str, Any]) -> None:
        """The S3 event that a posted file causes; keys in events are encoded like form fields."""
        key = urllib.parse.quote_plus(upload["upload"]["fields"]["key"])
        record = {"eventName": "ObjectCreated:Post", "s3": {"object": {"key": key}}}
        self.invoke("brand_intake", {"Records": [record]})
