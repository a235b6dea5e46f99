"""The quality fast: a light head on a frozen encoder, in numpy."""
