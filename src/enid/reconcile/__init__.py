"""The agent's loop: journal → affected records → fabric and guests → status."""
