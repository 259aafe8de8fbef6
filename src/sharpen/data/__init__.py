"""From files to prepared data: read, split by source, checked for leaks, with the test split sealed.

:func:`prepare` and :func:`load` are for studies, :func:`load_sealed` for the evaluation alone, :func:`inspect` for
``sharpen check``.
"""

from __future__ import annotations

from sharpen.data.augmenting import Augmented, Limits, Material, augment, open_augmentation
from sharpen.data.balancing import Balanced, balanced, open_sampler, replays
from sharpen.data.dataset import (
    Dataset,
    Prepared,
    Seal,
    examine,
    examine_folds,
    example_from,
    example_row,
    inspect,
    load,
    load_sealed,
    prepare,
)
from sharpen.data.documents import read_documents
from sharpen.data.examples import Dropped, read_examples, shorten
from sharpen.data.fields import UNANSWERABLE
from sharpen.data.gathering import TABLE
from sharpen.data.leaks import near_duplicates
from sharpen.data.probing import probe
from sharpen.data.robustness import perturbed
from sharpen.data.splitting import cluster, split
from sharpen.data.surveying import File, Survey, survey
from sharpen.data.wording import UNSPACED, stop_words, words

__all__ = [
    "TABLE",
    "UNANSWERABLE",
    "UNSPACED",
    "Augmented",
    "Balanced",
    "Dataset",
    "Dropped",
    "File",
    "Limits",
    "Material",
    "Prepared",
    "Seal",
    "Survey",
    "augment",
    "balanced",
    "cluster",
    "examine",
    "examine_folds",
    "example_from",
    "example_row",
    "inspect",
    "load",
    "load_sealed",
    "near_duplicates",
    "open_augmentation",
    "open_sampler",
    "perturbed",
    "prepare",
    "probe",
    "read_documents",
    "read_examples",
    "replays",
    "shorten",
    "split",
    "stop_words",
    "survey",
    "words",
]
