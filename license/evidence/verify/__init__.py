"""The audit: rules that every entry must keep, and what was found."""
