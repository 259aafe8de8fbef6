"""sharpen: find out, and prove, which mix of prompting, retrieval and fine-tuning does your job best."""

from __future__ import annotations

__version__ = "0.1.0"
