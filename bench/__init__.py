"""The measured claims: every speed enid promises, beside its baseline of the same run.

``python -m bench`` runs all of them and writes ``bench/results.json``; ``QUICK=1`` takes fewer rounds, ``ONLY=udp_rr``
(names, separated by commas) takes some. What the figures mean and what was reached is told in ``docs/performance.md``.
"""
