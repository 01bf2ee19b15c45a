"""Commands on a statistical model, wherever it was made: fit, limit, significance and others."""
