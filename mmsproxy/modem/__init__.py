"""the parts of the modem link: the serial seam, the channel that runs scripts, the stream of one socket."""
