"""The services that the gateway subscribes to, as a subscriber like any other."""
