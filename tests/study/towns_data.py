"""A small use case on the fake model: 16 documents about things in towns, with questions that reading answers."""

from __future__ import annotations

import json
import random
from pathlib import Path

COLOURS = ["red", "blue", "green", "yellow", "purple", "orange", "black", "white", "brown", "pink"]
STUFF = ["wood", "stone", "iron", "glass", "brick", "clay"]

USE_CASE = """\
version: 1
name: towns
goal: Say what the documents say.
model: "fake:"
embeddings: "fake:"
data:
  examples: questions.jsonl
  documents: documents
  split: {train: 0.4, dev: 0.2, test: 0.4}
"""


def write_towns(folder: Path, documents: int = 20) -> Path:
    """Write the use case into a folder and return its file."""
    rng = random.Random(1)
    (folder / "documents").mkdir(parents=True)
    rows = []
    for d in range(documents):
        text = f"# Town {d}\n\n"
        for thing in rng.sample(["tower", "bridge", "gate", "house", "lamp", "boat", "clock", "wall"], 5):
            name, colour, stuff = f"{thing} town{d}", rng.choice(COLOURS), rng.choice(STUFF)
            first = f"The {name} is painted {colour}."
            text += f"{first} People like it.\n\nThe {name} was built from {stuff}.\n\n"
            common = {"source": f"town{d}.md"}
            rows.append(
                {"question": f"What colour is the {name} painted?", "answers": [colour], "evidence": first, **common}
            )
            rows.append({"question": f"From what was the {name} built?", "answers": [stuff], **common})
        (folder / "documents" / f"town{d}.md").write_text(text)
    (folder / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "usecase.yaml").write_text(USE_CASE)
    return folder / "usecase.yaml"
