"""The same analysis with 100 systematic variations through hepflow, coffea and RDataFrame."""
