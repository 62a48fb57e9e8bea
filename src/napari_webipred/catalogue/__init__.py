"""Which models exist and how they get here."""
