"""Pictures that customers send, made anew where they can hurt nothing."""
