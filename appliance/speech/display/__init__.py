"""From recognised words to display text: numbers, punctuation, rewriting and rescoring."""
