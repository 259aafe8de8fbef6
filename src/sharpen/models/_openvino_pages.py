"""A compiled OpenVINO model whose keys and values lie in blocks: prompts and answers of many rows in one pass.

OpenVINO replaces the graph's attention by one over blocks (Kwon et al. 2023, "Efficient memory management for large
language model serving with PagedAttention"). What comes after the last attention is computed only where a next token
is wanted: of a prompt, at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.errors import UserError

BLOCK = 32  # tokens of a block: the CPU plugin's


@dataclass(frozen=True)
class Part:
    """What one row adds in a pass: the tokens ``ids`` after ``past`` tokens that lie in ``blocks``.

    ``blocks`` has room for all of them; ``picked``: whether the next token is wanted.
    """

    ids: Sequence[int]
    past: int
    blocks: Sequence[int]
    picked: bool = True


class Pages:
    """A model with room for ``count`` blocks of keys and values; the memory is taken as they fill."""

    def __init__(self, folder: Path, hints: Mapping[str, Any], count: int) -> None:
        import numpy as np
        import openvino

        try:
            from openvino._offline_transformations import paged_attention_transformation

            core = openvino.Core()
            graph = core.read_model(folder / "openvino_model.xml")
            paged_attention_transformation(graph, False, False, False, False)
            _pick(graph)
            model = core.compile_model(graph, "CPU", dict(hints))
        except ImportError:
            raise _unlike("has no attention over blocks where sharpen looks for it") from None
        except RuntimeError as e:
            said = (str(e).strip().splitlines() or ["it does not say why"])[-1]
            do = "Delete this folder, it is made anew; or use the transformers engine."
            raise UserError(f"OpenVINO cannot open what it wrote: {said}", str(folder), do) from None
        self.count = count
        self._request = model.create_infer_request()
        self._kept = []
        for port in model.inputs:
            name = port.get_any_name()
            if name.startswith(("key_cache.", "value_cache.")):
                _, *shape = port.get_partial_shape()
                # zeros: what is masked is multiplied by 0, and whatever lay in memory could be no number
                blocks = np.zeros((count, *(d.get_length() for d in shape)), port.get_element_type().to_dtype())
                self._request.set_tensor(name, openvino.Tensor(blocks, shared_memory=True))
                self._kept.append(blocks)
            elif name not in INPUTS:
                raise _unlike(f"asks for {name!r}, which sharpen does not know")

    def copy(self, source: int, target: int) -> None:
        """Copy a block's keys and values of all layers."""
        for blocks in self._kept:
            blocks[target] = blocks[source]

    def run(self, parts: Sequence[Part]) -> tuple[Any, Any]:
        """Read the parts' tokens in one pass.

        Returns:
            For the parts that are picked, in order: logits (n, vocabulary) and the logarithm of the sum of their
            exponentials (n,), as float32 arrays that hold until the next pass.
        """
        import numpy as np
        import openvino

        lengths = np.array([len(p.ids) for p in parts])
        ends = np.cumsum(lengths)
        picked = ends[[p.picked for p in parts]] - 1
        held = np.array([-(-(p.past + len(p.ids)) // BLOCK) for p in parts])
        given = {
            "input_ids": np.concatenate([np.asarray(p.ids, np.int64) for p in parts]),
            "position_ids": np.concatenate([np.arange(p.past, p.past + len(p.ids)) for p in parts]),
            "past_lens": np.array([p.past for p in parts], np.int32),
            "subsequence_begins": np.concatenate([[0], ends]).astype(np.int32),
            "block_indices": np.concatenate([p.blocks[:n] for p, n in zip(parts, held, strict=True)]).astype(np.int32),
            "block_indices_begins": np.concatenate([[0], np.cumsum(held)]).astype(np.int32),
            "max_context_len": np.array(max(p.past + len(p.ids) for p in parts), np.int32),
            PICKED: picked if len(picked) else np.zeros(1, np.int64),  # an empty product is no product
        }
        for name, value in given.items():
            self._request.set_tensor(name, openvino.Tensor(value))
        self._request.infer()
        n = len(picked)
        logits, norms = (self._request.get_output_tensor(i).data for i in (0, 1))
        return logits.reshape(logits.shape[0], -1)[:n], norms.reshape(-1)[:n]


PICKED = "picked"
INPUTS = frozenset(
    {
        *("input_ids", "position_ids", "past_lens", "subsequence_begins", "block_indices", "block_indices_begins"),
        *("max_context_len", PICKED),
    }
)


def _unlike(what: str) -> UserError:
    do = "Install the version that constraints.txt names, or use the transformers engine."
    return UserError(f"this version of OpenVINO {what}.", do=do)


def _pick(graph: Any) -> None:
    """Add an input that names the tokens whose next one is wanted, and an output with the norms of their logits."""
    import numpy as np
    from openvino import Type
    from openvino import opset13 as op

    head = graph.outputs[0].get_node().input_value(0).get_node()
    if head.get_type_name() != "MatMul" or len(graph.outputs) != 1:
        raise RuntimeError("the graph does not end in a product with the vocabulary")
    picked = op.parameter([-1], Type.i64, name=PICKED)
    picked.output(0).get_tensor().set_names({PICKED})
    graph.add_parameters([picked])
    for entry in _entries(graph, head) or [head.input(0)]:
        entry.replace_source_output(op.gather(entry.get_source_output(), picked, op.constant(np.array(0))).output(0))
    logits = head.output(0)
    top = op.reduce_max(logits, op.constant(np.array([-1])), keep_dims=True)
    total = op.reduce_sum(op.exp(op.subtract(logits, top)), op.constant(np.array([-1])), keep_dims=True)
    graph.add_outputs([op.add(top, op.log(total)).output(0)])
    graph.validate_nodes_and_infer_types()


def _entries(graph: Any, head: Any) -> list[Any]:
    """The two inputs where all that follows the last attention begins: its output, and what is added to it.

    Empty where the graph looks otherwise; then only the last product is computed for few tokens.
    """
    ordered = graph.get_ordered_ops()
    last = max((i for i, n in enumerate(ordered) if n.get_type_name() == "PagedAttentionExtension"), default=None)
    if last is None:
        raise RuntimeError("the graph has no attention over blocks")
    after = {ordered[last].get_friendly_name()}
    project = None
    for node in ordered[last + 1 :]:
        if not any(v.get_node().get_friendly_name() in after for v in node.input_values()):
            continue
        if project is None and node.get_type_name() == "MatMul":
            project, after = node, set()  # from here on, all has to follow from this product and what is added to it
        after.add(node.get_friendly_name())
    if project is None or len(project.output(0).get_target_inputs()) != 1:
        return []
    (joined,) = (i.get_node() for i in project.output(0).get_target_inputs())
    beside = [i for i in joined.inputs() if i.get_source_output().get_node() != project]
    if joined.get_type_name() != "Add" or len(beside) != 1 or joined == head:
        return []
    begin = {project.get_friendly_name(), joined.get_friendly_name()}
    values = [v.get_node() for n in ordered if n.get_friendly_name() in after - begin for v in n.input_values()]
    closed = all(v.get_friendly_name() in after or _constant(v) for v in values)
    return [project.input(0), *beside] if closed else []


def _constant(node: Any) -> bool:
    values = node.input_values()
    return node.get_type_name() == "Constant" or (bool(values) and all(_constant(v.get_node()) for v in values))
