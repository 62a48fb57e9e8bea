"""What several models say of the same images: how far they agree, and one answer made of all."""
