"""a modem and a carrier, shipped."""
