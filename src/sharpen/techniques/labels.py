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
from sharpen.types import Answer, Completion, Decoding, System

WEIGHTS = (0.0, 0.5, 1.0)


def rules(program: System, answers: Sequence[Answer]) -> list[tuple[System, list[Answer]]]:
    """Return the program with each rule, and what it would have answered under it; itself alone where none applies.

    Nothing is asked again: the answers hold what the model said of every label.
    """
    judged = [found for a in answers if (found := rankings(a))]
    if not program.decoding.choices or program.decoding.by_text or not judged:
        return [(program, list(answers))]
    sums = np.array([np.mean([c.logprobs for c in found], axis=0) for found in judged])
    means = np.array([np.mean([_means(c) for c in found], axis=0) for found in judged])
    made = []
    for per_token in (False, True):
        scores = means if per_token else sums
        priors = tuple(round(float(x), 6) for x in scores.mean(axis=0))
        others = (scores.sum(axis=0) - scores) / max(len(judged) - 1, 1)
        for weight in WEIGHTS if len(judged) > 1 else WEIGHTS[:1]:
            decoding = replace(
                program.decoding, per_token=per_token, priors=priors if weight else (), prior_weight=weight
            )
            own = iter(others)
            said = [again(a, replace(decoding, priors=tuple(next(own)))) if rankings(a) else a for a in answers]
            made.append((replace(program, decoding=decoding), said))
    return made


def again(answer: Answer, decoding: Decoding) -> Answer:
    """Decide anew from what the model said; where it voted, each vote anew, and the thoughts are the taken one's."""
    said = rankings(answer)
    if not said:
        return answer
    scores = np.array([adjusted(decoding, c.logprobs, c.tokens) for c in said])
    votes = [int(i) for i in scores.argmax(axis=1)]
    taken = max(votes, key=votes.count)  # of several the first
    text, means = decoding.choices[taken], [float(x) for x in scores.mean(axis=0)]
    made = replace(answer, text=text, raw=text, label_scores=dict(zip(decoding.choices, means, strict=True)))
    if answer.votes:
        made = replace(made, votes=votes.count(taken))
    if answer.reasoning:
        at = next(i for i, c in enumerate(answer.completions) if c is said[votes.index(taken)])
        made = replace(made, reasoning=answer.completions[at - 1].text.strip())
    return made


def rankings(answer: Answer) -> list[Completion]:
    """The calls in which the model told the likelihood of each choice; one a vote."""
    return [c for c in answer.completions if c.ranked]


def _means(said: Completion) -> np.ndarray:
    """Log-likelihoods of the choices by token."""
    means: np.ndarray = np.array(said.logprobs) / np.maximum(np.array(said.tokens), 1)
    return means
