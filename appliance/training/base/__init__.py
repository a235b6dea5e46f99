"""What a training starts from: the bundled encoder, or one from outside."""
