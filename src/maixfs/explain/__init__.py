"""What each byte of an image means."""
