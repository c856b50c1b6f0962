"""A host file or board folder: what it is, its parts, its file systems, changes to them."""
