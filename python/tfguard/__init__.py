"""tfguard's Python companion.

Under ``tfguard exec`` this package is on ``sys.path`` and heartbeats arm themselves (see ``sitecustomize``); nothing here
imports TensorFlow.
"""
