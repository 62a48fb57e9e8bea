"""How model files get from a server to this machine."""
