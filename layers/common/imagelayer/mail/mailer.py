"""Sends mail through SES."""

from __future__ import annotations

from typing import Any

from imagelayer.mail.letters import Mail
from imagelayer.platform.aws_calls import call


class Mailer:
    """SES v2. A lost answer may send twice, which is harmless: links are single use."""

    def __init__(self, client: Any, sender: str, configuration_set: str) -> None:
        self._client = client
        self._sender = sender
        self._configuration_set = configuration_set

    def send(self, mail: Mail) -> None:
        """Send one mail. Raises StoreUnavailable."""
        call(
            self._client,
            "send_email",
            FromEmailAddress=self._sender,
            Destination={"ToAddresses": [mail.to]},
            ConfigurationSetName=self._configuration_set,
            Content={
                "Simple": {
                    "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": mail.text, "Charset": "UTF-8"},
                        "Html": {"Data": mail.html, "Charset": "UTF-8"},
                    },
                }
            },
        )
