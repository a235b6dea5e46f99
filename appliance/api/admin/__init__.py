"""The operators' page at `/admin`: what it is asked, and who may ask."""
