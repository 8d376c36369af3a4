"""The stories of notifications, one file per subject. Whoever calls brings database, clock, keys and channels."""
