"""What each service offers, once: the words that both sides of the bus read."""
