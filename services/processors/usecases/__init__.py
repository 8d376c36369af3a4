"""What processors does, one function per story, by subject; run here without nameko."""
