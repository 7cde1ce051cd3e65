"""A CallTest's runs: when one is due, what its next step is, what it came to. Pure."""
