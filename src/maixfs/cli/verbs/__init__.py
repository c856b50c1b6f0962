"""The verbs, each loaded when it is used (``maixfs.cli.catalogue`` lists them)."""
