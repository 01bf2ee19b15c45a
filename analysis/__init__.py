"""Concrete analyses, each a subclass of hepflow's Analysis."""
