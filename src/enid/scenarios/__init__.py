"""Runnable recipes: each builds a network through the EC2 API alone, sends real packets, and says what it saw.

A scenario is a client like any other. It decides nothing about networks and imports nothing from ``ec2/``, ``fabric/``
or ``reconcile/``: what it knows, it learnt from an answer or from a packet.
"""
