"""What the firmware keeps of neural networks: models in memory, their layers and outputs.

Running one is no part of this board.
"""
