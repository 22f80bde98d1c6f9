"""Uses the generated package as a program would."""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path

from imagelayer_client import AuthenticatedClient
from imagelayer_client.api.brands import get_brand
from imagelayer_client.api.generations import create_generation
from imagelayer_client.api.open_ai_compatible import create_image_edit, list_models
from imagelayer_client.models import (
    CreateGenerationRequest,
    Generation,
    ImageEditsForm,
    ImageEditsFormResponseFormat,
    ImagesAnswer,
    ModelList,
    ProblemAnswer,
    TextBlock,
)
from imagelayer_client.types import File


def must[T](answer: object, kind: type[T]) -> T:
    """An answer of the expected kind."""
    if not isinstance(answer, kind):
        raise TypeError(repr(answer))
    return answer


given = json.loads(os.environ["GIVEN"])
client = AuthenticatedClient(base_url=given["base_url"], token=given["key"])
models = must(list_models.sync(client=client), ModelList)
generation = must(
    create_generation.sync(
        client=client,
        body=CreateGenerationRequest(
            prompt="warm waves", size="256x256", seed=4_000_000_000, text=TextBlock(headline="Hi")
        ),
        prefer="wait=20",
    ),
    Generation,
)
picture = File(BytesIO(Path(given["picture"]).read_bytes()), "in.png", "image/png")
edit = must(
    create_image_edit.sync(
        client=client,
        body=ImageEditsForm(
            prompt="as it is",
            size="256x256",
            image=picture,
            text=TextBlock(caption="Edited"),
            response_format=ImageEditsFormResponseFormat.URL,
        ),
    ),
    ImagesAnswer,
)
refused = must(
    get_brand.sync(client=client, brand_id="brd_00000000000000000000000000"), ProblemAnswer
)
print(
    json.dumps(
        {
            "models": [model.id for model in models.data],
            "status": generation.status,
            "seed": generation.seed,
            "url": edit.data[0].url,
            "refused": refused.code,
        }
    )
)
