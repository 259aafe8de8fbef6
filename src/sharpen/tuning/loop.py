"""The training loop.

Rows are grouped by what they have in common, shuffled, and cut into optimizer steps; the rows of a step go through
the model as trees (see :mod:`sharpen.tuning.trees`); the loss of a step is the mean over all of its supervised
tokens. Everything that could differ between two runs follows from the seed and the number of the step.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpen.store import read_cached, write_text
from sharpen.tuning import lora
from sharpen.tuning.forward import agrees, row_loss, tree_attention, tree_loss
from sharpen.tuning.gated import lean
from sharpen.tuning.options import Point, Trained, TrainOptions
from sharpen.tuning.plan import steps
from sharpen.tuning.rows import Decode, Untrainable, demand, readable, shown
from sharpen.tuning.state import Checkpoints, put_folder, writing
from sharpen.tuning.trees import Row, grow, passes
from sharpen.types import Progress, Rendered, digest, silent

log = logging.getLogger("sharpen.tuning")


def train(
    module: Any,
    rows: Sequence[Rendered],
    dev_rows: Sequence[Rendered],
    options: TrainOptions,
    folder: Path,
    progress: Progress = silent,
    decode: Decode | None = None,
) -> Trained:
    """Train an adapter for ``module`` (a causal language model of transformers), which is left as it was.

    Args:
        module: on the device where training shall run.
        rows: what is learned: token ids and which of them are supervised.
        dev_rows: for the validation loss; may be empty.
        options: see :class:`TrainOptions`.
        folder: holds checkpoints and the result. The same call on a folder that an interrupted run left goes on
            from its last checkpoint; on one that a finished run left it returns that run's result.
        progress: told the optimizer steps done and to do.
        decode: token ids to text, for the example that is shown before the first step.

    Raises:
        Untrainable: nothing is supervised, or the loss is no longer a number.
        UserError: a write failed, or the folder is another training's.
    """
    kept, dropped = readable(rows, options.max_length)
    demand(kept, dropped)
    dev, dev_dropped = readable(dev_rows, options.max_length)
    marks = Checkpoints(folder, _fingerprint(module, kept, dev, options))
    done = read_cached(folder / "trained.json", lambda data: (data, Trained.read(data["trained"], folder)))
    if done:
        marks.check(done[0], folder)
        return done[1]
    with writing("the training folder", folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        run = _Run(module, kept, dev, options, stack)
        run.dropped = {**dropped, **{f"validation: {k}": v for k, v in dev_dropped.items()}}
        run.example = shown(kept[0], decode)
        supervised = sum(len(row.learned) for row in kept)
        log.info("training: %d rows, %d supervised tokens, %d steps", len(kept), supervised, len(run.plan))
        log.info("one row, what is learned between ⟦ and ⟧:\n%s", _brief(run.example))
        run.resume(marks)
        run.go(marks, progress)
        return run.finish(marks, folder)


class _Run:
    """A training under way: the plan, the trained vector with its moments, and the curve so far."""

    def __init__(
        self, module: Any, rows: Sequence[Row], dev: Sequence[Row], options: TrainOptions, stack: ExitStack
    ) -> None:
        self.module, self.rows, self.dev, self.options = module, rows, dev, options
        self.device = next(module.parameters()).device
        _forget_peak(self.device)
        self.notes: list[str] = []
        self.shares = agrees(module, rows)
        if not self.shares:
            self.notes.append("This model's attention cannot follow trees of rows; rows were computed one by one.")
            log.warning(self.notes[-1])
        stack.enter_context(_training(module))
        if self.shares:
            stack.enter_context(tree_attention(module))
        self.layers = stack.enter_context(lora.adapted(module, options))
        stack.enter_context(lean(module))
        self.flat = lora.Flat(self.layers)
        self.moments = torch.zeros_like(self.flat.value), torch.zeros_like(self.flat.value)
        self.best = self.flat.value.detach().clone()
        self.plan = steps(rows, options)
        self.curve: list[Point] = []
        self.facts: dict[str, Any] = {
            "best_step": 0,
            "best_loss": None,
            "before": None,
            "worse": 0,
            "tokens": 0,
            "computed": 0,
            "seconds": 0.0,
        }
        self.dropped: dict[str, int] = {}
        self.example = ""

    def resume(self, marks: Checkpoints) -> None:
        """Go back to the newest checkpoint, if there is one."""
        found = marks.latest()
        if found is None:
            return
        tensors, facts = found
        with torch.no_grad():
            self.flat.value.copy_(tensors["value"])
            self.best.copy_(tensors["best"])
            for moment, name in zip(self.moments, ("exp_avg", "exp_avg_sq"), strict=True):
                moment.copy_(tensors[name])
        self.curve = [Point(**p) for p in facts["curve"]]
        self.facts = {k: facts[k] for k in self.facts}
        log.info("going on from step %d", facts["step"])

    def save(self, marks: Checkpoints) -> None:
        """Write a checkpoint."""
        first, second = self.moments
        tensors = {"value": self.flat.value, "best": self.best, "exp_avg": first, "exp_avg_sq": second}
        marks.write(len(self.curve), tensors, {**self.facts, "curve": [asdict(p) for p in self.curve]})

    def go(self, marks: Checkpoints, progress: Progress) -> None:
        """Take the steps that are left."""
        o = self.options
        optimizer = self._optimizer()
        ends = _epoch_ends(self.plan)
        if self.dev and not self.curve:
            self.facts["before"] = self._timed(self.dev_loss)
        while len(self.curve) < len(self.plan) and not self._enough():
            point = self._timed(lambda: self.step(optimizer))
            step = point.step
            due = step % o.eval_steps == 0 if o.eval_steps else step in ends
            if self.dev and (due or step == len(self.plan)):
                loss = self._timed(self.dev_loss)
                if not math.isfinite(loss):
                    raise _diverged(f"the validation loss is no longer a number after step {step}.")
                point = replace(point, dev_loss=loss)
                self._judge(step, loss)
            self.curve.append(point)
            progress("training", step, len(self.plan))
            if o.checkpoint_steps and step % o.checkpoint_steps == 0 and step < len(self.plan):
                self._timed(lambda: self.save(marks))

    def step(self, optimizer: torch.optim.Optimizer) -> Point:
        """Take one optimizer step."""
        o, number = self.options, len(self.curve)
        at, chosen = self.plan[number]
        rows = [self.rows[i] for i in chosen]
        started = time.perf_counter()
        rate = o.learning_rate * schedule(number, len(self.plan), o)
        optimizer.param_groups[0]["lr"] = rate
        grad = self.flat.value.grad
        assert grad is not None
        grad.zero_()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(int(digest([o.seed, number])[:8], 16))
            loss = self.loss(rows, backward=True)
        norm = float(grad.norm())
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _diverged(f"the loss is no longer a number at step {number + 1} (learning rate {rate:.2g}).")
        if o.max_grad_norm and norm > o.max_grad_norm:
            grad.mul_(o.max_grad_norm / norm)
        optimizer.step()
        tokens = sum(len(row.ids) for row in rows)
        self.facts["tokens"] += tokens
        return Point(number + 1, at, loss, rate, norm, tokens / (time.perf_counter() - started))

    def loss(self, rows: Sequence[Row], backward: bool = False) -> float:
        """Return the mean loss of the supervised tokens of ``rows``; with ``backward`` add its gradients."""
        o = self.options
        share = self.shares and o.share_prefixes
        groups = passes(rows, o.tokens_per_forward, share) if self.shares else [[row] for row in rows]
        learned = sum(len(row.learned) for row in rows)
        total = 0.0
        for group in groups:
            tree = grow(group, share)
            one: Tensor = (tree_loss if self.shares else row_loss)(self.module, tree) / learned
            total += float(one.detach())
            if backward:
                self.facts["computed"] += len(tree.ids)
                one.backward()
        return total

    def dev_loss(self) -> float:
        """Return the mean loss of the validation rows."""
        self.module.eval()
        with torch.no_grad():
            loss = self.loss(self.dev)
        self.module.train()
        return loss

    def finish(self, marks: Checkpoints, folder: Path) -> Trained:
        """Write the adapter and what is known of it; checkpoints are no longer needed."""
        pick = bool(self.dev) and self.options.load_best_model_at_end
        stopped = "early" if self._enough() and len(self.curve) < len(self.plan) else "done"
        step = self.facts["best_step"] if pick else len(self.curve)
        last = self._write(folder / "last") if step != len(self.curve) else None
        if pick:
            with torch.no_grad():
                self.flat.value.copy_(self.best)
        loss = next((p.dev_loss for p in self.curve if p.step == step), None)
        trained = Trained(
            adapter=self._write(folder / "adapter"),
            last=last,
            curve=tuple(self.curve),
            best_step=step,
            dev_loss=loss,
            dev_loss_before=self.facts["before"],
            steps=len(self.curve),
            stopped=stopped,
            rows=len(self.rows),
            supervised_tokens=sum(len(row.learned) for row in self.rows),
            tokens=self.facts["tokens"],
            computed_tokens=self.facts["computed"],
            dropped=self.dropped,
            example=self.example,
            seconds=self.facts["seconds"],
            peak_memory=_peak_memory(self.device),
            notes=tuple(self.notes),
        )
        with writing("the result", folder):
            text = json.dumps({"fingerprint": marks.fingerprint, "trained": trained.plain()}, indent=1)
            write_text(folder / "trained.json", text + "\n")
        marks.clear()
        return trained

    def _write(self, folder: Path) -> Path:
        """Write the adapter as it is now."""
        values, base = lora.tensors(self.layers), _base_name(self.module)
        put_folder(folder, lambda new: lora.write_adapter(new, values, self.layers, self.options, base), "the adapter")
        return folder

    def _judge(self, step: int, loss: float) -> None:
        if self.facts["best_loss"] is None or loss < self.facts["best_loss"]:
            self.facts.update(best_step=step, best_loss=loss, worse=0)
            self.best.copy_(self.flat.value.detach())
        else:
            self.facts["worse"] += 1

    def _enough(self) -> bool:
        return 0 < self.options.early_stopping_patience <= int(self.facts["worse"])

    def _optimizer(self) -> torch.optim.Optimizer:
        value = self.flat.value
        made = torch.optim.AdamW(
            [value], lr=self.options.learning_rate, weight_decay=self.options.weight_decay, fused=True
        )
        first, second = self.moments
        step = torch.tensor(float(len(self.curve)), device=self.device)
        made.state[value] = {"step": step, "exp_avg": first, "exp_avg_sq": second}
        return made

    def _timed(self, act: Any) -> Any:
        started = time.perf_counter()
        try:
            return act()
        finally:
            self.facts["seconds"] += time.perf_counter() - started


def _diverged(what: str) -> Untrainable:
    return Untrainable(what, "training", "Lower learning_rate, or raise warmup_ratio.")


def schedule(step: int, steps: int, options: TrainOptions) -> float:
    """Return the share of the learning rate that the 0-based ``step`` of ``steps`` trains with."""
    warm = math.ceil(options.warmup_ratio * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    left = (step - warm) / max(1, steps - warm)
    match options.lr_scheduler_type:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * left))
        case "linear":
            return 1 - left
        case _:
            return 1.0


def _epoch_ends(plan: Sequence[tuple[float, list[int]]]) -> set[int]:
    return {step for step, (at, _) in enumerate(plan, 1) if at == int(at)}


@contextmanager
def _training(module: nn.Module) -> Iterator[None]:
    was = module.training
    module.train()
    try:
        yield
    finally:
        module.train(was)


def _fingerprint(module: Any, rows: Sequence[Row], dev: Sequence[Row], options: TrainOptions) -> str:
    """Name what is trained: the options, the rows, and a sample of every weight."""
    h = hashlib.sha256(digest([asdict(options), [asdict(r) for r in rows], [asdict(r) for r in dev]]).encode())
    for name, p in module.named_parameters():
        sample = p.detach().reshape(-1)[:: max(1, p.numel() // 64)]
        h.update(f"{name} {tuple(p.shape)} {p.dtype} {sample.double().tolist()}".encode())
    return h.hexdigest()


def _brief(text: str, most: int = 1500) -> str:
    """A long row without its middle: the beginning tells the prompt, the end what is learned."""
    return text if len(text) <= most else f"{text[: most // 3]} […] {text[-most * 2 // 3 :]}"


def _base_name(module: Any) -> str:
    """The base model's hub id; of a local folder its name alone, so that no path of this machine is written."""
    name = str(getattr(module.config, "_name_or_path", "") or "")
    return Path(name).name if Path(name).is_absolute() or Path(name).exists() else name


def _forget_peak(device: torch.device) -> None:
    """Let the peak begin anew, where the system can: what the process held before is not training's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
