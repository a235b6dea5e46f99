"""Opening a graph with onnxruntime. The one place that imports it, and only when a model is loaded."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from appliance.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_QUIET: Final = 3  # onnxruntime's severity "error"
_NO_FOLDER: Final = "/dev/null"  # a file, so no path below it can ever exist


def open_session(
    data: bytes,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    *,
    name: str = "model.onnx",
    disabled_optimizers: Sequence[str] = (),
) -> "InferenceSession":
    """Open an onnxruntime session that computes on the calling thread; several threads may call it at once.

    Args:
        data: The bytes of the graph, already checked.
        providers: onnxruntime execution providers in order of preference.
        name: The file's name, for messages.
        disabled_optimizers: Rewrites of the graph that onnxruntime is not to make.

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
    # A graph given as bytes may otherwise read any file below the working directory as its weights.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NO_FOLDER)
    # Never guessed from the bytes: what was checked was ONNX, and onnxruntime's own format is another one.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    missing = sorted(set(providers) - set(onnxruntime.get_available_providers()))
    if missing:
        raise ModelError(f"this onnxruntime has no {', '.join(missing)}")
    try:
        return onnxruntime.InferenceSession(
            data, options, providers=list(providers), disabled_optimizers=list(disabled_optimizers)
        )
    except Exception as error:  # onnxruntime's exceptions share no base class but this
        raise ModelError(f"{name} is refused by onnxruntime: {error}") from error


def runtime_version() -> str:
    """Return the version of onnxruntime; imports it, so only where a model is open anyway."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415  (as above)

    return str(onnxruntime.__version__)
