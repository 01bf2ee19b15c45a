"""Training, limits and accuracy of simulation-based inference, beside madminer."""
