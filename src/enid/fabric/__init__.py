"""Records become packets: one narrow interface, and its drivers (``linux``, ``memory``). Never opens the store."""
