"""enid: AWS elastic network interfaces, real on your own Linux."""

__version__ = "0.1.0"
