"""Faults on purpose: whole systems killed at named places while processors misbehave, judged by the processors' own books."""
