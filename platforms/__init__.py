"""The platform adapters that come with Kiitos, one package a platform."""
