"""Samplers: which training examples are learned from, and how often, so that classes count more evenly."""
