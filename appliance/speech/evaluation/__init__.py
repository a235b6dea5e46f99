"""How well a model hears: words compared with transcripts, counted, and two models beside each other."""
