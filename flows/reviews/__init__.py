"""Reviews: written, looked through, shown, and told to the shop."""
