"""Messages of the generation queue."""

from __future__ import annotations

from pydantic import BaseModel


class GenerationTask(BaseModel):
    """A job to work on."""

    org_id: str
    generation_id: str
