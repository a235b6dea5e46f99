"""What the installation is told and owns: settings, products, directories, keys."""
