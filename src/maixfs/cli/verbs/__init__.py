"""The verbs, each loaded when it is used (``maixfs.cli.table`` lists them)."""
