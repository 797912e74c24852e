"""Flow logs: copies of packets, counted per flow and window, written where the flow log says.

A process of its own: counting what the kernel copies must never keep the agent from moving an interface.
"""
