"""What a run waits for, in which threads, and how a cancel ends that."""
