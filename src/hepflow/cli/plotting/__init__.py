"""What `hepflow plot` finds in folders and files."""
