"""What somebody would build instead, each in an environment of its own. Nothing of it is in the product."""
