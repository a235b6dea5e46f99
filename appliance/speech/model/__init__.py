"""The model folder of speech: layout, vocabulary, lexicon and locales."""
