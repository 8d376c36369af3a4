"""The JSON API: one file per subject, each a short table of routes over the gateway's subjects."""
