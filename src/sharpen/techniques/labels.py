"""The rules that turn likelihoods of labels into a label; which one an arm takes is chosen on dev.

Length: sums or means over tokens. Prior: how much of a label's mean score over dev is taken away (0, half or all; the
labels of dev are not used for that), which corrects a model's liking for a label whatever the question. Zhou et al.
2023, "Batch Calibration". While a rule is judged, a question's own scores are left out of its priors: with few
questions they would be most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sharpen.runtime import adjusted
from sharpen.types import Answer, Decoding, System

WEIGHTS = (0.0, 0.5, 1.0)


def rules(program: System, answers: Sequence[Answer]) -> list[tuple[System, list[Answer]]]:
    """Return the program with each rule, and what it would have answered under it; itself alone where none applies.

    Nothing is asked again: the answers hold what the model said of every label.
    """
    judged = [a for a in answers if a.label_scores]
    if not program.decoding.choices or program.decoding.by_text or not judged:
        return [(program, list(answers))]
    sums = np.array([a.completions[-1].logprobs for a in judged])
    lengths = np.maximum(np.array([a.completions[-1].tokens for a in judged]), 1)
    made = []
    for per_token in (False, True):
        scores = sums / lengths if per_token else sums
        priors = tuple(round(float(x), 6) for x in scores.mean(axis=0))
        others = (scores.sum(axis=0) - scores) / max(len(judged) - 1, 1)
        for weight in WEIGHTS if len(judged) > 1 else WEIGHTS[:1]:
            decoding = replace(
                program.decoding, per_token=per_token, priors=priors if weight else (), prior_weight=weight
            )
            own = iter(others)
            said = [again(a, replace(decoding, priors=tuple(next(own)))) if a.label_scores else a for a in answers]
            made.append((replace(program, decoding=decoding), said))
    return made


def again(answer: Answer, decoding: Decoding) -> Answer:
    """Decide anew from what the model said."""
    if not answer.label_scores:
        return answer
    said = answer.completions[-1]  # a program's steps come before
    scores = adjusted(decoding, said.logprobs, said.tokens)
    text = decoding.choices[int(np.argmax(scores))]
    return replace(answer, text=text, raw=text, label_scores=dict(zip(decoding.choices, scores, strict=True)))
