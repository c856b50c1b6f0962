"""File systems that are only read: what they share, and a folder for each of them."""
