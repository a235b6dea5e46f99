"""Commands typed at a site."""

from tests.support.operate import operate, said

__all__ = ["operate", "said"]
