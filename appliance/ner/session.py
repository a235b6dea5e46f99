"""Padded arrays in, logits out. The one place that imports onnxruntime, and only when a model is loaded."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from appliance.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Logits = NDArray[np.float32]
TokenNumbers = NDArray[np.int64]

_OUTPUT: Final = "logits"
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_QUIET: Final = 3  # onnxruntime's severity "error"


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
        self._session = open_session(data, providers)
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name: node for node in self._session.get_outputs()}
        unknown = sorted(set(inputs) - _INPUTS)
        if unknown or "input_ids" not in inputs:
            raise ModelError(
                f"model.onnx takes inputs {sorted(inputs)}, not those of token classification",
                hint="inputs may be input_ids, attention_mask and token_type_ids",
            )
        wrong = sorted(name for name, node in inputs.items() if node.type != "tensor(int64)")
        if wrong:
            raise ModelError(f"model.onnx wants {', '.join(wrong)} in another type than int64")
        if _OUTPUT not in outputs or outputs[_OUTPUT].type != "tensor(float)":
            raise ModelError(f"model.onnx has no float32 output named {_OUTPUT}")
        shape = outputs[_OUTPUT].shape
        if len(shape) != 3 or (isinstance(shape[2], int) and shape[2] != labels):
            raise ModelError(f"model.onnx answers in shape {shape}, but config.json names {labels} labels")
        self._wants_mask = "attention_mask" in inputs
        self.wants_types: bool = "token_type_ids" in inputs

    def run(self, ids: TokenNumbers, mask: TokenNumbers, types: TokenNumbers | None) -> Logits:
        """Compute one batch; see `Session.run`."""
        return self.outputs((_OUTPUT,), ids, mask, types)[0]

    def outputs(
        self, names: Sequence[str], ids: TokenNumbers, mask: TokenNumbers, types: TokenNumbers | None
    ) -> list[Logits]:
        """Compute other outputs of the graph, such as hidden layers [batch, tokens, width], by name."""
        feed = {"input_ids": ids}
        if self._wants_mask:
            feed["attention_mask"] = mask
        if self.wants_types:
            feed["token_type_ids"] = np.zeros_like(ids) if types is None else types
        found: list[Logits] = self._session.run(tuple(names), feed)
        return found


def open_session(
    data: bytes, providers: Sequence[str] = ("CPUExecutionProvider",), *, name: str = "model.onnx"
) -> "InferenceSession":
    """Open an onnxruntime session that computes on the calling thread; several threads may call it at once.

    Args:
        data: The bytes of the graph, already checked.
        providers: onnxruntime execution providers in order of preference.
        name: The file's name, for messages.

    Raises:
        ModelError: onnxruntime refuses the graph.
    """
    # Read by onnxruntime when it is imported; nothing here may ever try to reach a network.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415  (heavy, and must see the variable above)

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _QUIET
    # Shapes differ from call to call: a memory pattern per shape would be planned, kept and hardly ever used
    # again.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    missing = sorted(set(providers) - set(onnxruntime.get_available_providers()))
    if missing:
        raise ModelError(f"this onnxruntime has no {', '.join(missing)}")
    try:
        return onnxruntime.InferenceSession(data, options, providers=list(providers))
    except Exception as error:  # onnxruntime's exceptions share no base class but this
        raise ModelError(f"{name} is refused by onnxruntime: {error}") from error


def runtime_version() -> str:
    """Return the version of onnxruntime; imports it, so only where a model is open anyway."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415  (as above)

    return str(onnxruntime.__version__)
