"""Honest stand-ins that speak over real sockets: a Shopify, a WooCommerce and a mail server.

They do what the measured ones do, refuse what those refuse and misbehave as those misbehave (docs of each module name
the fact); what they do not know they say so instead of guessing. Imported by tests and the demo.
"""
