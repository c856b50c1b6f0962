"""Files and folders copied between the host and images."""
