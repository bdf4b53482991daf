"""Fails when it is imported."""

raise ValueError("the import")
