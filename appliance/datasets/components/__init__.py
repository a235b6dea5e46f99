"""List and regex components of entities: as a project declares them and a trained model carries them."""
