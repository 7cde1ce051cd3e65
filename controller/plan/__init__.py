"""What a run is to do: which endpoints, who calls whom, what is expected of it. Pure."""
