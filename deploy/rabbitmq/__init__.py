"""RabbitMQ for this house: who may do what there, as definitions that it loads."""
