"""Recognisers of personal data and secrets, one file each."""
