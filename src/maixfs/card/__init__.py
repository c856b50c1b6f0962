"""What lies where on a card: made, looked through, mended."""
