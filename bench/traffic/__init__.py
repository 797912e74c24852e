"""Traffic between two places, both ends on one processor so that a slower path cannot hide behind a second one.

Plain sockets in tight loops, one system call a packet. The loops' own cost is part of every figure, of the baseline as
of the path: a ratio errs towards one by about two hundredths in request/response, by four in the flood.
"""
