"""FAT12, FAT16 and FAT32 as FatFs has them on the board."""
