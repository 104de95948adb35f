"""Keeping an installation: backups, their way back, what left before it, and moving between databases."""
