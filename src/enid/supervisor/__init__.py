"""Keeps enid's processes running: starts them, starts them again when they die, takes everything down.

It decides nothing about networks. Killing it, or any child, loses nothing: the next start converges.
"""

from enid.supervisor.control import UpError, down, up

__all__ = ["UpError", "down", "up"]
