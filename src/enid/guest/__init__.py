"""What an instance is and sees: the sandbox, its network configuration, and the way into it."""
