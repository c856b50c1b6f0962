"""Recognisers of ``maixfs.image.identify``, by what they need to import."""
