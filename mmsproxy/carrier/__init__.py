"""one subscription, over any link."""
