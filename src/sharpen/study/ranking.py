"""The rule by which an arm turns likelihoods of labels into a label, settled on dev when its techniques are done."""

from __future__ import annotations

import math

from sharpen.runtime.cache import key_of
from sharpen.techniques import Bench
from sharpen.techniques.labels import again, rules
from sharpen.types import System


def settle(program: System, bench: Bench) -> System:
    """Choose length normalisation and prior correction on dev, for programs that choose among labels."""
    if not program.decoding.choices or program.decoding.by_text or not bench.dev:
        return program
    answers = bench.answer(program, bench.dev, "labels of dev")
    if not any(a.label_scores for a in answers):
        return program
    best: tuple[tuple[float, ...], System] | None = None
    for candidate, said in rules(program, answers):
        tried = bench.judge(candidate, bench.dev, said)
        rule = {"per_token": candidate.decoding.per_token, "prior_weight": candidate.decoding.prior_weight}
        values = [v for v in tried.values if math.isfinite(v)]
        bench.note("tried", {"what": "label rule", **rule, "n": tried.n, "values": values})
        if best is None or tried.values > best[0]:
            best = (tried.values, candidate)
    assert best is not None
    if bench.answers:
        identity = bench.engines.identity_of(best[1])
        redone = [again(a, best[1].decoding) for a in answers]
        rows = [(key_of(best[1], e, identity), a) for e, a in zip(bench.dev, redone, strict=True)]
        bench.answers.put(rows)
    return best[1]
