"""The installation: settings, products, directories, keys."""
