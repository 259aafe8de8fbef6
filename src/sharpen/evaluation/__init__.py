"""Compare arms on recorded scores: one paired procedure, simultaneous intervals, a verdict; race, seal, ledger, plan.

The only room that holds the test split. Start with :func:`compare`.
"""

from sharpen.evaluation.comparison import ArmResult, Comparison, Facts, PairResult, Rule, compare

__all__ = ["ArmResult", "Comparison", "Facts", "PairResult", "Rule", "compare"]
