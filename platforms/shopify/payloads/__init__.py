"""What we read of Shopify's webhook bodies, as msgspec structs."""
