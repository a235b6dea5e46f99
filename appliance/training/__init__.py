"""Custom models: training, evaluation, and the model folder written."""
