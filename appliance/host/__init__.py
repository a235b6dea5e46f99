"""What the machine offers: clock, processors, file systems, systemd."""
