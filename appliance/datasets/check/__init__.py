"""What there is to know about labelled documents before a model is trained on them."""
