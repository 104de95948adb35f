"""The Vendure platform for Kiitos, outside Kiitos' own tree."""
