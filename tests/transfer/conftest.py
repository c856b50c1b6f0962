"""Every kind of image, as in the tests of images; writers do wait for each other's locks."""

from image.conftest import board, no_waiting_for_the_disk, place

__all__ = ["board", "no_waiting_for_the_disk", "place"]
