"""Sound as samples, and the signal that identifies a call."""
