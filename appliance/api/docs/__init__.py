"""The documentation at `/docs`: the Markdown that comes with the program, rendered and searched here."""
