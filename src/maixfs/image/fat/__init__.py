"""FAT volumes behind a target: in a card image, on a block device, in the slot of a board."""
