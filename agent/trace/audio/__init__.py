"""What streams sound like."""
