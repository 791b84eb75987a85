"""What instruments say: one module per protocol, thin transports, and the registry that finds them."""
