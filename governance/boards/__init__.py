"""The shared data review board (공용 DRB): applications, votes, decisions, and the permits that follow from them."""
