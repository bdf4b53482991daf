"""The commands that README and the manual show: each can run."""
