"""Other people's systems doing the product's job, for `python -m bench --peers`: never part of the product or of CI.

The job: a signed order webhook is verified, taken on, and answered with one HTML order confirmation to the sink.
Whatever a peer does less than the product (no deduplication, no plain text part) stands in its `differs`.
"""
