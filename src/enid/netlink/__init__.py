"""Netlink without a library's overhead: messages as bytes, batches as one send, sockets inside other namespaces."""
