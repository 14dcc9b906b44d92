"""A crew whose model is a provider on loopback."""
