"""The Shopify platform."""
