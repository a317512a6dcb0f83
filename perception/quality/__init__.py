"""What a localiser is worth on unseen patients, and how far it may be believed."""
