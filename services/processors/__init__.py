"""Processors: accounts at card processors, and charges and refunds that happen once. Invoices and ledgers are elsewhere."""
