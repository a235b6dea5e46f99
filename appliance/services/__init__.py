"""What a product adds to the service: text and speech."""
