"""The quality best: the whole encoder learns, in torch."""
