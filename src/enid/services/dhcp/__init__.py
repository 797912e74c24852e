"""Leases: what an instance is told of its own interface."""
