"""`calltest detail`: what the agents of a run told, from the cluster."""
