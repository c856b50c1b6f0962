"""What ``maixfs diff`` shows."""
