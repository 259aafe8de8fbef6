"""Embeddings by sentence-transformers folders, on PyTorch: texts as unit vectors.

Folders that are a transformer and a pooling (nearly all small ones) are run directly, which opens in a fraction of
the time; others go through the package sentence-transformers. Texts are cut at the length that the model was made for.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen import parts
from sharpen.errors import MissingExtra, UserError
from sharpen.models._fetch import pull
from sharpen.models._local import Local, expect_embedding, public_name, read_json, reading
from sharpen.models._quiet import quiet, switch_off

log = logging.getLogger("sharpen.models")

NEEDS = {"torch": "local", "transformers": "local"}
TOKENS = 8192  # padded tokens in a batch
POOLINGS = ("cls", "mean", "lasttoken", "max")
FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")  # whose positions begin after that of the padding
KNOWN = {"Transformer", "Pooling", "Normalize"}


class Embedder:
    """``embed(texts) -> (n, dimensions)`` float32, unit length. ``can`` is embed alone."""

    can = frozenset({"embed"})

    def __init__(self, local: Local, device: str = "auto", train: bool = False) -> None:
        switch_off()
        import torch
        import transformers

        self.ref, self.folder, self.trains = local.ref, local.folder, train
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        folder = local.folder
        settings = _json(folder / "config_sentence_transformers.json")
        self.prompts: dict[str, str] = {k: v or "" for k, v in (settings.get("prompts") or {}).items()}
        self.identity = (
            f"{local.digest} transformers-{transformers.__version__} torch-{torch.__version__} {self.device}"
        )
        kinds = {str(m.get("type", "")).rpartition(".")[2] for m in _modules(folder)}
        self.pooling = _pooling(folder)
        if kinds <= KNOWN and self.pooling:
            self._open(folder, local.ref)
        elif train:
            do = "Use a model that is a transformer and one pooling, as nearly all small ones are."
            raise UserError("this embedding model is built of parts that cannot be trained here.", self.ref, do)
        else:
            self._open_by_package(folder)

    def _open(self, folder: Path, ref: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        from sharpen.models._forest import pack

        sub = folder / next(
            (m.get("path", "") for m in _modules(folder) if str(m.get("type", "")).endswith("Transformer")), ""
        )
        limit = _json(sub / "sentence_bert_config.json").get("max_seq_length")
        with quiet(), reading(ref, sub, "transformers cannot open", "Fetch it again."):
            options = {"local_files_only": True, "trust_remote_code": False}
            self.tokenizer = AutoTokenizer.from_pretrained(sub, **options)
            self.module = AutoModel.from_pretrained(sub, dtype=torch.float32, use_safetensors=True, **options)
        self.module.eval().requires_grad_(self.trains).to(self.device)
        if not self.trains:
            pack(self.module)
        places = int(getattr(self.module.config, "max_position_embeddings", 512) or 512)
        if self.module.config.model_type in FROM_PADDING:
            places -= int(self.module.config.pad_token_id or 0) + 1
        self.limit = min(int(limit or places), places, int(self.tokenizer.model_max_length))
        self.dimensions = int(self.module.config.hidden_size)
        self.package: Any = None

    def _open_by_package(self, folder: Path) -> None:
        if importlib.util.find_spec("sentence_transformers") is None:
            raise MissingExtra("this embedding model", "sentence-transformers", "retrieval")
        for module in _modules(folder):
            kind, place = str(module.get("type", "")), folder / str(module.get("path", ""))
            if not kind.startswith("sentence_transformers."):
                what = f"has a part {kind!r} of its own, whose code would run here."
                raise UserError(what, self.ref, "Use an embedding model that is made of the package's own parts.")
            if (place / "pytorch_model.bin").exists() and not (place / "model.safetensors").exists():
                raise UserError(f"has a pickle in {place.name}.", self.ref, "Use one whose weights are safetensors.")
        from sentence_transformers import SentenceTransformer

        with quiet(), reading(self.ref, folder, "sentence-transformers cannot open", "Fetch it again."):
            self.package = SentenceTransformer(str(folder), device=self.device, local_files_only=True)
        known = getattr(self.package, "get_embedding_dimension", None)  # its name before 5.2 is the longer one
        self.dimensions = int((known or self.package.get_sentence_embedding_dimension)() or 0)
        self.limit = int(self.package.max_seq_length or 512)

    def embed(
        self, texts: Sequence[str], query: bool = False, told: Callable[[int], None] = lambda n: None
    ) -> NDArray[np.float32]:
        """Embed texts; ``query`` puts the model's query prompt before each, otherwise its document prompt.

        ``told`` hears how many are done.

        Returns:
            Array (len(texts), dimensions), rows in the order of ``texts``, each of unit length (zeros for a text
            without a token).
        """
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        texts = self._prompted(texts, query)
        if self.package is not None:
            made = self.package.encode(texts, normalize_embeddings=True, show_progress_bar=False)
            return np.asarray(made, np.float32)
        return self._run(texts, told)

    def _prompted(self, texts: Sequence[str], query: bool) -> list[str]:
        names = ("query",) if query else ("document", "passage")
        prompt = next((self.prompts[n] for n in names if self.prompts.get(n)), "")
        return [prompt + t for t in texts]

    def forward(self, texts: Sequence[str], query: bool = False, most: int | None = None) -> Any:
        """The same as tensors ``[len(texts), dimensions]`` with gradients; of each text at most ``most`` tokens."""
        from torch.nn.functional import normalize

        limit = min(self.limit, most or self.limit)
        read = self.tokenizer(
            self._prompted(texts, query), truncation=True, max_length=limit, padding=True, return_tensors="pt"
        ).to(self.device)
        hidden = self.module(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).last_hidden_state
        return normalize(_pooled(hidden, read["attention_mask"], self.pooling), dim=-1)

    def write(self, folder: Path) -> None:
        """Write the model with its present weights, in the format that it was read from."""
        from safetensors.torch import save_file

        files = [p for p in self.folder.rglob("*") if p.is_file() and p.suffix not in (".bin", ".onnx", ".safetensors")]
        for path in files:
            target = folder / path.relative_to(self.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        weights = next(iter(sorted(self.folder.rglob("model.safetensors"))), self.folder / "model.safetensors")
        state = {n: w.detach().cpu().contiguous() for n, w in self.module.state_dict().items()}
        save_file(state, str(folder / weights.relative_to(self.folder)), metadata={"format": "pt"})

    def _run(self, texts: Sequence[str], told: Callable[[int], None]) -> NDArray[np.float32]:
        import torch
        from torch.nn.functional import normalize

        read = self.tokenizer(list(texts), truncation=True, max_length=self.limit)
        coded, cut = read["input_ids"], sum(bool(e.overflowing) for e in read.encodings or ())
        if cut:
            say = "%d of %d texts are longer than the %d tokens that %s reads; what is behind them it does not find."
            log.warning(say, cut, len(texts), self.limit, public_name(self.ref))
        out = np.zeros((len(texts), self.dimensions), np.float32)
        done = 0
        for batch in _batches([len(c) for c in coded]):
            width = len(coded[batch[0]])
            pad = self.tokenizer.pad_token_id or 0
            ids = torch.tensor([coded[i] + [pad] * (width - len(coded[i])) for i in batch], device=self.device)
            mask = torch.tensor(
                [[1] * len(coded[i]) + [0] * (width - len(coded[i])) for i in batch], device=self.device
            )
            with torch.inference_mode():
                hidden = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
                out[batch] = normalize(_pooled(hidden, mask, self.pooling), dim=-1).float().cpu().numpy()
            done += len(batch)
            told(done)
        return out


def _pooled(hidden: Any, mask: Any, how: str) -> Any:
    """Reduce (n, tokens, d) to (n, d)."""
    if how == "cls":
        return hidden[:, 0]
    if how == "lasttoken":
        return hidden[range(len(hidden)), mask.sum(1) - 1]
    seen = mask[..., None]
    if how == "max":
        return hidden.masked_fill(seen == 0, float("-inf")).amax(1)
    return (hidden * seen).sum(1) / seen.sum(1)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Texts of similar length together, the longest first, within a budget of padded tokens."""
    batch: list[int] = []
    for i in sorted((i for i, n in enumerate(lengths) if n), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _modules(folder: Path) -> list[dict[str, Any]]:
    path = folder / "modules.json"
    found = read_json(path, folder.name) if path.exists() else []
    return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []


def _pooling(folder: Path) -> str:
    """Return the one way of pooling, or "" where several are joined or none is known."""
    for module in _modules(folder):
        if not str(module.get("type", "")).endswith("Pooling"):
            continue
        config = _json(folder / module.get("path", "") / "config.json")
        modes = {
            "cls": config.get("pooling_mode_cls_token"),
            "mean": config.get("pooling_mode_mean_tokens"),
            "lasttoken": config.get("pooling_mode_lasttoken"),
            "max": config.get("pooling_mode_max_tokens"),
        }
        named = config.get("pooling_mode")
        chosen = [str(named)] if isinstance(named, str) else [m for m in POOLINGS if modes[m]]
        return chosen[0] if len(chosen) == 1 and chosen[0] in POOLINGS else ""
    return ""


def _json(path: Path) -> dict[str, Any]:
    found = read_json(path, path.parent.name) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def open_embedder(ref: str, device: str = "auto", train: bool = False) -> Embedder:
    """Open an embedding model by its reference, fetching it first when it is not here; ``train``: to be trained.

    Raises:
        UserError: it is not an embedding model, or cannot be had.
    """
    opened: Embedder = parts.factory("model", "embedder")(pull(ref), device, train)
    return opened


def embedder(local: Local, device: str = "auto", train: bool = False) -> Embedder:
    """Open a model of sentence-transformers' format that was fetched with ``pull``.

    Raises:
        UserError: the model is not one for embeddings.
    """
    expect_embedding(local)
    return Embedder(local, device, train)
