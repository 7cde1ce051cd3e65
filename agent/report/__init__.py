"""What an agent tells: lines, result, metrics, evidence."""
