"""Training: losses, a loop that can be killed, and what is measured on unseen patients."""
