"""The verbs of ``maixfs sd``, one module for each or for two that belong together."""
