"""The shapes of request bodies."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from imagelayer.operations import schemas as operations
from imagelayer.routes import ROUTES

# Forms are read leniently: everything in them is text.
FORM_SHAPES: set[type[BaseModel]] = {route.form() for route in ROUTES.values() if route.form}


def _shapes() -> list[type[BaseModel]]:
    found: set[Any] = {
        route.body() for route in ROUTES.values() if route.body and not route.signed
    } | FORM_SHAPES
    found |= set(operations.AnyAction.__args__)
    return sorted(found, key=lambda shape: shape.__name__)


# Every request body, JSON or form, and the operator's actions. Signed bodies are lists of reports
# that only GitHub sends.
SHAPES = _shapes()
