"""Custom models: labelled text in, a served model folder with its evaluation out, all on this machine."""
