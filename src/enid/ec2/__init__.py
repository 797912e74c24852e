"""What AWS promises, one file per resource, named as AWS names it. Never touches the kernel.

An operation is a function ``(context, params) -> result`` under :func:`enid.ec2.registry.operation`; importing
:mod:`enid.ec2.catalogue` registers all of them.
"""
