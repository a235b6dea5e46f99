"""The licence in force: admission, quota, status, installation and download."""
