"""For all tests."""

from hypothesis import settings

# A test that waited for a CPU is not a slow one; pytest's own limit holds what hangs.
settings.register_profile("calltest", parent=settings(), deadline=None)
settings.load_profile("calltest")
