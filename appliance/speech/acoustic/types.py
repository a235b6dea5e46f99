"""What acoustic models give to decoders."""

import numpy as np
from numpy.typing import NDArray

LogProbs = NDArray[np.float32]
"""Natural logarithms of probabilities, [frames, tokens]."""
