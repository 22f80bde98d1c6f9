"""Mails as they are handed to SES, in both their forms; moto keeps only one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.support.product import Product


@dataclass(frozen=True)
class Letter:
    """One mail that went out."""

    to: str
    sender: str
    configuration_set: str
    subject: str
    text: str
    html: str

    @property
    def link(self) -> str:
        """The one link of the text, or nothing."""
        found = re.findall(r"https?://\S+?(?=[.,]?(?:\s|$))", self.text)
        assert len(found) <= 1, found
        return "".join(found)

    @property
    def flowing(self) -> str:
        """The text's words without the ends of its lines."""
        return " ".join(self.text.split())

    @property
    def token(self) -> str:
        """The token that the link carries."""
        return self.link.partition("#token=")[2]


def watch(product: Product) -> list[Letter]:
    """What the mail function sends from now on."""
    sent: list[Letter] = []

    def note(params: dict[str, Any], **_: object) -> None:
        (to,) = params["Destination"]["ToAddresses"]
        simple = params["Content"]["Simple"]
        assert {each["Charset"] for each in (simple["Subject"], *simple["Body"].values())} == {
            "UTF-8"
        }
        sent.append(
            Letter(
                to,
                params["FromEmailAddress"],
                params["ConfigurationSetName"],
                simple["Subject"]["Data"],
                simple["Body"]["Text"]["Data"],
                simple["Body"]["Html"]["Data"],
            )
        )

    events = product.platform("mail").client("sesv2").meta.events
    events.register("provide-client-params.sesv2.SendEmail", note)
    return sent
