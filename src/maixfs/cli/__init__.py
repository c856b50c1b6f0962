"""The command ``maixfs``. ``table.py`` lists the verbs; each is loaded when it is run."""
