"""Generations: accepting, running, reading and ending them; their images."""
