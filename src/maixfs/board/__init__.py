"""The virtual board: power, boot, the modules that a script sees."""
