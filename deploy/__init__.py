"""Running the house: the one place that knows all services. Nothing of the product imports it."""
