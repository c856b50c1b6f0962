"""What a card is made of: sectors, partition table, SPI mode."""
