"""The multilingual encoder that models in many languages start from, out of published wheels."""
