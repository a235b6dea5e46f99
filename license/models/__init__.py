"""Encrypted model packages: archive, signed manifest, and the keys that open them."""
