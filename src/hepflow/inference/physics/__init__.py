"""Where events come from: the built-in process, showers, detectors, and programs of the user."""
