"""Flows that AWS does not track end with the rules that allow them: which those are, and how they are cut."""
