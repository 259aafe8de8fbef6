"""Augmentations of training examples, one file each."""
