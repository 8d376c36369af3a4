"""Stand-ins for the three processors' wire protocols: our own code, from documented behaviour. Each keeps books of its own."""
