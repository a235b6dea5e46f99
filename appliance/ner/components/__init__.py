"""Components of entities besides the learnt one: lists and expressions, found in texts and composed."""
