"""Images and packages composed from parts, and taken apart."""
