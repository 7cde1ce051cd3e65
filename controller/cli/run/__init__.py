"""`calltest run`: CallTests without a cluster, with processes for pods."""
