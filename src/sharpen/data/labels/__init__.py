"""Labels: where they are likely wrong, which to ask for next, how far people agree, whether there are enough.

One file a subject: ``suspects`` (confident learning), ``inconsistent``, ``active``, ``agreement``, ``consensus``,
``functions``, ``sufficiency``, ``balance``, ``queue``, ``drafts``, ``proposing``, ``headings``, ``origins``,
``pooling`` (rows to label), ``teaching`` (guesses, and which to ask for next), ``accord`` (how people's answers
compare), ``rulebook`` (labelling functions from a file). What calculates on texts takes a feature matrix (one row an
example; a sentence embedding, or TF-IDF), so that this room needs no model.
"""

from __future__ import annotations
