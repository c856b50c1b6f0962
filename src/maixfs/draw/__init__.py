"""Maps of a flash: terminal, SVG, PNG."""
