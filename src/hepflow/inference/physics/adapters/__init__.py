"""A user's own generators and detector simulations: cards, commands and results."""
