"""Queues for due steps, each an adapter over its own package (extras `procrastinate`, `celery`)."""
