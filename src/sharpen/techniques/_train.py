"""What lies between a technique that trains and the training loop: the module, the rows, the kept adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.techniques.bench import Bench
from sharpen.types import Message, Ref, System


def tune(
    program: System,
    train: Sequence[tuple[Message, ...]],
    dev: Sequence[tuple[Message, ...]],
    bench: Bench,
    options: dict[str, Any],
) -> list[tuple[str, Ref]]:
    """Train on conversations, keep what came of it in the store, and return it, each with a label.

    That is the adapter of the smallest validation loss and, where it is another, the one of the last step. The work
    folder holds checkpoints: the same call after a kill goes on from the last one.
    """
    from sharpen import tuning
    from sharpen.models import pull
    from sharpen.models.transformers import load_module

    if program.adapters:
        raise UserError("the program is tuned already.", do="Name one technique that trains per arm.")
    settings = train_options(bench, options)
    model = bench.model(program)
    rows = [model.render(m) for m in train]
    dev_rows = [model.render(m) for m in dev]
    bench.engines.release()  # training needs the memory
    folder = bench.work or bench.store.root / "work" / "train"
    folder.mkdir(parents=True, exist_ok=True)
    module, tokenizer = load_module(pull(program.model))
    trained = tuning.train(
        module, rows, dev_rows, settings, folder, progress=bench.progress, decode=lambda ids: tokenizer.decode(ids)
    )
    del module
    facts = trained.plain()
    bench.note("trained", {**facts, "options": _plain(settings)})

    about = json.dumps({"options": _plain(settings), "supervised_tokens": trained.supervised_tokens})

    def keep(made: Path) -> Ref:
        def fill(kept: Path) -> None:
            for path in made.iterdir():
                if path.is_file():
                    shutil.copy2(path, kept / path.name)
            (kept / "training.json").write_text(about, encoding="utf-8")

        return bench.keep("adapter", fill)

    found = [(f"step {trained.best_step}", keep(trained.adapter))]
    if trained.last is not None:
        found.append((f"step {trained.steps}", keep(trained.last)))
    shutil.rmtree(folder, ignore_errors=True)
    return found


def train_options(bench: Bench, options: dict[str, Any]) -> Any:
    """The loop's options: the technique's own, scaled by what the budget became."""
    import dataclasses

    settings = check_options({"seed": bench.seed, **options})
    if bench.counts.epochs != 1.0:
        settings = dataclasses.replace(settings, num_train_epochs=settings.num_train_epochs * bench.counts.epochs)
    return settings


def check_options(options: dict[str, Any]) -> Any:
    """Return the loop's options; nothing heavy is imported, so that a study can say what is wrong before it begins.

    Raises:
        UserError: an option is not known, or its value is not possible.
    """
    import dataclasses

    from sharpen.tuning import TrainOptions

    known = [f.name for f in dataclasses.fields(TrainOptions)]
    strange = [k for k in options if k not in known]
    if strange:
        near = get_close_matches(strange[0], known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"It has: gold_share, {', '.join(known)}."
        raise UserError(f"lora has no option {', '.join(strange)}.", do=hint)
    try:
        return TrainOptions(**options)
    except TypeError as e:
        raise UserError(
            f"an option of lora has a value of the wrong kind: {e}.", do="See: sharpen parts show lora"
        ) from None


def _plain(settings: Any) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(settings)
