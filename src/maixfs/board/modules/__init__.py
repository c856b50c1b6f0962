"""The built-in modules that a script can import, with the names that the firmware has."""
