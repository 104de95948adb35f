"""What people decide: consent, being left in peace, being forgotten; and the segments they are in."""
