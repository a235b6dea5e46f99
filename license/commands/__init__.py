"""The commands of `license`, one file for each thing a vendor does; `license.cli` puts them together."""
