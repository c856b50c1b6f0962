"""maixfs: the storage of a MaixPy (K210) board on the desk, bit for bit."""

__version__ = "0.1.0"
