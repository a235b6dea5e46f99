"""A token classification model as a session: padded arrays in, logits out."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.errors import ModelError
from appliance.onnx_tools.runtime import open_session

Logits = NDArray[np.float32]
TokenNumbers = NDArray[np.int64]

LOGITS: Final = "logits"
DISABLED_OPTIMIZERS: Final = ("SkipLayerNormFusion",)
"""Rewrites of onnxruntime that are left out: this fused kernel computes number by number on a CPU."""
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class Session(Protocol):
    """What the owner of a model needs of it; several threads may call it at once."""

    def run(self, ids: TokenNumbers, mask: TokenNumbers, types: TokenNumbers | None) -> Logits:
        """Compute one batch.

        Args:
            ids: Token numbers, [batch, tokens].
            mask: 1 for a token, 0 for padding, [batch, tokens].
            types: Token types (case classes), [batch, tokens]; None stands for zeros.

        Returns:
            Logits [batch, tokens, labels], owned by the caller.
        """
        ...


class OnnxSession:
    """An onnxruntime session that computes on the calling thread.

    One thread per call, so several owner threads share one copy of the weights and each keeps one core busy;
    more threads inside a call wait for each other at every operator.

    Args:
        data: The bytes of `model.onnx`, already checked.
        labels: How many labels the last dimension must have.
        providers: onnxruntime execution providers in order of preference.

    Raises:
        ModelError: onnxruntime refuses the graph, or its inputs and outputs are not those of token
        classification.
    """

    def __init__(
        self, data: bytes, *, labels: int, providers: Sequence[str] = ("CPUExecutionProvider",)
    ) -> None:
        self._session = open_session(data, providers, disabled_optimizers=DISABLED_OPTIMIZERS)
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name: node for node in self._session.get_outputs()}
        unknown = sorted(set(inputs) - _INPUTS)
        if unknown or "input_ids" not in inputs:
            raise ModelError(
                f"model.onnx takes inputs {sorted(inputs)}, not those of token classification",
                hint="inputs may be input_ids, attention_mask and token_type_ids",
            )
        one_row = {_takes_one_row(node.name, node.shape) for node in inputs.values()}  # each is checked
        self.one_row: bool = True in one_row
        """Whether the graph was exported for one text a call."""
        wrong = sorted(name for name, node in inputs.items() if node.type != "tensor(int64)")
        if wrong:
            raise ModelError(f"model.onnx wants {', '.join(wrong)} in another type than int64")
        if LOGITS not in outputs or outputs[LOGITS].type != "tensor(float)":
            raise ModelError(f"model.onnx has no float32 output named {LOGITS}")
        shape = outputs[LOGITS].shape
        if len(shape) != 3 or (isinstance(shape[2], int) and shape[2] != labels):
            raise ModelError(f"model.onnx answers in shape {shape}, but config.json names {labels} labels")
        self._wants_mask = "attention_mask" in inputs
        self.wants_types: bool = "token_type_ids" in inputs

    def run(self, ids: TokenNumbers, mask: TokenNumbers, types: TokenNumbers | None) -> Logits:
        """Compute one batch; see `Session.run`."""
        return self.outputs((LOGITS,), ids, mask, types)[0]

    def outputs(
        self, names: Sequence[str], ids: TokenNumbers, mask: TokenNumbers, types: TokenNumbers | None
    ) -> list[Logits]:
        """Compute other outputs of the graph, such as hidden layers [batch, tokens, width], by name."""
        feed = {"input_ids": ids}
        if self._wants_mask:
            feed["attention_mask"] = mask
        if self.wants_types:
            feed["token_type_ids"] = np.zeros_like(ids) if types is None else types
        values: list[Logits] = self._session.run(tuple(names), feed)
        return values


def _takes_one_row(name: str, shape: Sequence[object]) -> bool:
    """Whether an input has room for one text only.

    Raises:
        ModelError: The shape is none that texts of any length can be given in.
    """
    hint = "export it with dynamic axes for batch and sequence, as `optimum-cli export onnx` does by default"
    if len(shape) != 2:
        raise ModelError(f"model.onnx takes {name} in shape {list(shape)}, not [batch, tokens]", hint=hint)
    rows, tokens = shape
    if isinstance(tokens, int):
        raise ModelError(f"model.onnx takes {name} of exactly {tokens} tokens", hint=hint)
    if isinstance(rows, int) and rows != 1:
        raise ModelError(f"model.onnx takes {name} in batches of exactly {rows}", hint=hint)
    return rows == 1
