"""`calltest convert`: CallTests of what other programs are told."""
