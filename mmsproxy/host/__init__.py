"""The parts of the host link: interfaces and routes by netlink, sockets bound to an interface, DNS through it, the stream of one socket."""
