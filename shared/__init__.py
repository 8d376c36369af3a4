"""What every service may lean on: words of the contracts, faults, money, keys, storage and messages. It knows no service."""
