"""`calltest report`: a page to look at."""
