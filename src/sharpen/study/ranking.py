"""The one rule by which an arm turns likelihoods of labels into a label; its two settings are chosen on dev.

Length: sums or means over tokens. Prior: how much of a label's mean score over dev is taken away (0, half or all; the
labels of dev are not used for that), which corrects a model's liking for a label whatever the question. Zhou et al.
2023, "Batch Calibration". While a rule is judged, a question's own scores are left out of its priors: with few
questions they would be most of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sharpen.runtime import adjusted
from sharpen.runtime.cache import key_of
from sharpen.techniques import Bench
from sharpen.types import Answer, Decoding, System

WEIGHTS = (0.0, 0.5, 1.0)


def settle(program: System, bench: Bench) -> System:
    """Choose length normalisation and prior correction on dev, for programs that choose among labels."""
    if not program.decoding.choices or program.decoding.by_text or not bench.dev:
        return program
    answers = bench.answer(program, bench.dev, "labels of dev")
    judged = [a for a in answers if a.label_scores]
    if not judged:
        return program
    sums = np.array([a.completions[0].logprobs for a in judged])
    lengths = np.maximum(np.array([a.completions[0].tokens for a in judged]), 1)
    best: tuple[tuple[float, ...], System] | None = None
    for per_token in (False, True):
        scores = sums / lengths if per_token else sums
        priors = scores.mean(axis=0)
        others = (scores.sum(axis=0) - scores) / max(len(judged) - 1, 1)
        for weight in WEIGHTS if len(judged) > 1 else (0.0,):
            decoding = replace(
                program.decoding,
                per_token=per_token,
                priors=tuple(round(float(x), 6) for x in priors) if weight else (),
                prior_weight=weight,
            )
            candidate = replace(program, decoding=decoding)
            own = iter(others)
            redone = [
                _again(a, replace(decoding, priors=tuple(next(own))) if a.label_scores else decoding) for a in answers
            ]
            tried = bench.judge(candidate, bench.dev, redone)
            facts = {"per_token": per_token, "prior_weight": weight, "n": tried.n}
            bench.note("tried", {"what": "label rule", **facts, "values": [v for v in tried.values if np.isfinite(v)]})
            if best is None or tried.values > best[0]:
                best = (tried.values, candidate)
    assert best is not None
    if bench.answers:
        identity = bench.engines.identity_of(best[1])
        redone = [_again(a, best[1].decoding) for a in answers]
        rows = [(key_of(best[1], e, identity), a) for e, a in zip(bench.dev, redone, strict=True)]
        bench.answers.put(rows)
    return best[1]


def _again(answer: Answer, decoding: Decoding) -> Answer:
    """Decide anew from what the model said."""
    if not answer.label_scores:
        return answer
    said = answer.completions[0]
    scores = adjusted(decoding, said.logprobs, said.tokens)
    text = decoding.choices[int(np.argmax(scores))]
    return replace(answer, text=text, raw=text, label_scores=dict(zip(decoding.choices, scores, strict=True)))
