"""what people mean. Pure: no I/O, no clock."""
