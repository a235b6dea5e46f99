"""The usage log: entries, Merkle tree, checkpoints, cosignatures and inclusion proofs."""
