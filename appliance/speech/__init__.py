"""Speech to text: audio in, acoustic model, decoding, phrases with words and their times."""
