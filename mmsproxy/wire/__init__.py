"""bytes <-> typed PDUs. Pure: no I/O, no clock."""
