"""Messages of the mail queue."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class MailMessage(BaseModel):
    """A message of the mail queue; what else it holds depends on its kind."""

    model_config = ConfigDict(extra="allow")

    kind: str
    at: int
