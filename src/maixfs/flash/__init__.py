"""What lies where in a board's flash: firmware, models, file systems; found, made, explained."""
