"""What an examination says of an image: one record for every rule and command."""
