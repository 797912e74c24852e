"""What an instance asks its VPC for: metadata about itself, names, an address. Unprivileged; all of it reads the store.

Everything that parses a byte an instance sent is in here, and nothing in here runs as root.
"""
