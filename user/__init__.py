"""The physics of the built-in analysis: a search for Z' -> ttbar in the muon+jets channel."""
