"""Invoicing's stories, one function each, by subject; their collaborators come as arguments."""
