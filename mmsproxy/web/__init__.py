"""the front doors."""
