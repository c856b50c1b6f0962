"""The modules that a script can import: the firmware's names, nothing of the host's."""
