"""The vendor's model packages: which there are, and what is told of them."""
