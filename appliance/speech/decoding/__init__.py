"""From acoustic output to words: CTC and transducer search, alignment, segments."""
