"""``python -m sharpen`` is ``sharpen``."""

from sharpen.cli import main

main()
