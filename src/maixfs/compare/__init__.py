"""What differs between two images, and why."""
