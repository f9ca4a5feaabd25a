"""what modems say: the sans-IO engine and one file a dialect family. Pure: no I/O, no clock."""
