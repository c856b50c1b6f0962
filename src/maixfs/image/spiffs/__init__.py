"""SPIFFS behind a target: in a board's flash, a flash image or an image of its own."""
