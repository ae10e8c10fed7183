"""The zone's own validation code. It runs inside the walls, from one bundle, and needs only the `task` group.

Nothing in a node's process imports this package: it reads plaintext and runs a stranger's model.
"""
