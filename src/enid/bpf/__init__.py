"""eBPF without a compiler: an assembler, the kernel's own types, and the system call. Knows nothing of enid."""
