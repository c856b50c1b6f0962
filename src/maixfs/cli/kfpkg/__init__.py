"""The verbs of ``maixfs kfpkg``."""
