"""Seeing an installation: figures for Prometheus, checks for `kiitos doctor` and alerts, what is kept and for how long.

`figures` reads once what all of them show. Nothing here changes what is sent; nothing here tells who anybody is.
"""
