"""The page of `calltest report`: what is known of calls, to look at. Values in, HTML out; readers at its edge."""
