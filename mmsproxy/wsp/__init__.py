"""The values of the Wireless Session Protocol, as grammars and as Python shapes. Pure: no header, no PDU, no I/O.

leaf        what a grammar is; limits; the rules a value can break
values      the Python shapes: Text, Address, ContentType, Absolute, Relative ...
integers    uintvar, short and long integers, value-lengths
texts       text, token, quoted and URI strings
encoded     text with a charset; addresses
choices     number or text; enumerated octets; the skip rule
parameters  parameters, media types, dispositions
"""
