"""SIP messages as text, and what they are of. Pure."""
