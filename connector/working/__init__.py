"""What a worker does besides stepping flows: taking in, carrying out, recovering, keeping house."""
