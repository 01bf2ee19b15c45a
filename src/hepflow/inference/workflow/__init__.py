"""From a configuration to events, trained estimators, limits and figures, step by step."""
