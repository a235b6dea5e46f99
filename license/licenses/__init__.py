"""A licence: its request, its terms, when it is valid, and how a file becomes a verified licence."""
