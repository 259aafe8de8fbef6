"""Cleaners of texts and rows, one file each."""
