"""Walks a plan: stages, registrations, calls, and what is made of each leg."""
