"""Kiitos: kernel, SDK and composition.

This is the only package an outside developer imports: the model, the contracts, the errors and
the conformance kit (`connector.testing`). `flows`, `platforms` and `webhooks` are parts of the
application.
"""

__version__ = "0.1.0"
