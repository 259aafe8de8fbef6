"""Readers of files, one file each."""
