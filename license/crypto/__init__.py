"""The cryptographic primitives behind small functions: Ed25519 keys, HPKE and age encryption."""
