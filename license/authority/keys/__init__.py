"""The vendor's keys: roots, issuers, model lines, and their rotation."""
