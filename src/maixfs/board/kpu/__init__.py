"""Neural networks as the firmware keeps them: models in memory, their layers and outputs.

The board does not run them.
"""
