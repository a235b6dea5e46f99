"""What text alone teaches a speech model: n-grams of the domain, its phrases and its pronunciations."""
