"""Checkpoints: the whole state of training, written whole or not at all, as safetensors and JSON.

Data order, learning rate and dropout are functions of the seed and the step, so the state is small: the step, the
adapter, the optimizer's moments, the best adapter so far, and the curve. A run that was killed goes on from its last
checkpoint and makes the same adapter, bit for bit on one machine with one number of threads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.errors import UserError
from sharpen.store import beside, sync

if TYPE_CHECKING:
    from torch import Tensor

TENSORS, FACTS = "state.safetensors", "state.json"


@contextmanager
def writing(what: str, folder: Path) -> Iterator[None]:
    """Turn a failed write (a full disk, a folder that may not be written) into a sentence.

    Raises:
        UserError: the write failed; what was there before is untouched.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as e:
        full = "No space left" in str(e) or "os error 28" in str(e)
        reason = "the disk is full" if full else str(e)
        raise UserError(
            f"{what} could not be written: {reason}.",
            str(folder),
            "Make room (or choose another folder) and run the same command again: it goes on from the last checkpoint.",
        ) from None


def put_folder(path: Path, fill: Callable[[Path], None], what: str) -> None:
    """Fill a new folder and move it to ``path`` when it is complete and on disk; replaces what is there."""
    with writing(what, path.parent), beside(path) as new:
        fill(new)
        sync(new)
        if path.exists():
            shutil.rmtree(path)
        new.rename(path)


class Checkpoints:
    """``checkpoint-N`` folders below ``folder``; only the newest is kept."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def write(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write the state after ``step`` and remove older ones."""
        from safetensors.torch import save_file

        def fill(new: Path) -> None:
            save_file({name: t.detach().cpu() for name, t in tensors.items()}, str(new / TENSORS))
            known = {**facts, "step": step, "fingerprint": self.fingerprint}
            (new / FACTS).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")

        put_folder(self.folder / f"checkpoint-{step}", fill, f"the checkpoint of step {step}")
        for number, path in self._all()[:-1]:
            if number < step:
                shutil.rmtree(path, ignore_errors=True)

    def latest(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return tensors and facts of the newest checkpoint, or None.

        Raises:
            UserError: it belongs to other rows, options or weights, or cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not self._all():
            return None
        path = self._all()[-1][1]
        try:
            facts = dict(json.loads((path / FACTS).read_text(encoding="utf-8")))
            tensors = load_file(str(path / TENSORS))
        except (OSError, ValueError, TypeError, RecursionError, SafetensorError) as e:
            do = "Delete the folder to train from the beginning."
            raise UserError(f"the checkpoint cannot be read: {e}.", str(path), do) from None
        self.check(facts, path)
        return tensors, facts

    def check(self, facts: Mapping[str, Any], path: Path) -> None:
        """Refuse what another training left here."""
        if facts.get("fingerprint") != self.fingerprint:
            raise UserError(
                "this was left by a training with other rows, options or weights.",
                str(path),
                "Choose another folder, or delete this one to train from the beginning.",
            )

    def clear(self) -> None:
        """Remove all checkpoints."""
        for _, path in self._all():
            shutil.rmtree(path, ignore_errors=True)

    def _all(self) -> list[tuple[int, Path]]:
        found = [(p.name.removeprefix("checkpoint-"), p) for p in self.folder.glob("checkpoint-*")]
        return sorted((int(number), p) for number, p in found if number.isdigit())
