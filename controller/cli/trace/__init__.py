"""`calltest trace`: what captures hold."""
