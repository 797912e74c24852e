"""The wanted network as plain frozen records: what they are, how rows become them, and what follows from them.

Pure: no I/O of any kind. A record says where a port is (``host``), so nothing here assumes one machine.
"""
