"""The verbs of ``maixfs sd``: cards made, examined, and put into slots and readers."""
