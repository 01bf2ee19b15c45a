"""A CLs scan and a ranking, beside pyhf and cabinetry."""
