"""From frames to datagrams and segments."""
