"""The program in the cluster: what wakes it, what it then does, what it tells."""
