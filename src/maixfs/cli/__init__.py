"""The command ``maixfs``."""
