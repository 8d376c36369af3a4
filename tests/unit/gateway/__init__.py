"""The gateway on its own: people in a real database, the API over a scripted bus."""
