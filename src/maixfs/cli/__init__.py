"""The command ``maixfs``: one verb a module, loaded when it is used."""
