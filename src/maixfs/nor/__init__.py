"""SPI NOR flash: the chip, its SPI face, and the flash drivers that the world has."""
