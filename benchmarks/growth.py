"""How cost grows; options: "--record"."""
