"""What a hospital offers: descriptions, offers, and the catalogue that each peer may see."""
