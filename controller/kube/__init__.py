"""The cluster: reads and writes of its objects, and our objects as it wants them."""
