"""Whether torch, of the extra `train`, is here, and what it does quickly on this processor."""

import importlib.util
from typing import Any

from appliance.errors import MissingExtra


def has_torch() -> bool:
    """Whether torch is installed."""
    return importlib.util.find_spec("torch") is not None


def require_torch(what: str, *, instead: str = "") -> None:
    """Refuse where torch is not installed.

    Args:
        what: What needs it, as the beginning of the sentence.
        instead: What can be done without it, as the end of the hint.

    Raises:
        MissingExtra: It is not.
    """
    if not has_torch():
        raise MissingExtra(
            f"{what} needs torch, which is not installed here",
            hint="pip install 'offline-appliance[train]' (without network: from carried wheels)" + instead,
        )


def quick_bfloat16(torch: Any) -> bool:
    """Whether this processor multiplies 16-bit floats in hardware; else they are the slower ones.

    Args:
        torch: The imported module.
    """
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(
            torch.cpu._is_avx512_bf16_supported()
        )
    except (AttributeError, RuntimeError):
        return False
