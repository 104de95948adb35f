"""Ratios to the limits of this machine, measured in one run.

`python -m bench` runs the product, a C program doing the same job (the floor) and a stock Flask stack side by side
and prints ratios; absolute figures are shown but nothing is asserted on them. See docs/performance.md.
"""
