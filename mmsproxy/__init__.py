"""mmsproxy: a local MMSC proxy that sends MMS through the TCP socket of a cellular modem.

The rooms, from the doors down to the wire (imports go down only):

    __main__, cli          the command line
    server, simulator      wires the rooms; a modem and a carrier to try it all without hardware
    web                    the front doors: mm1 (MMS software) and api (JSON)
    carrier                one subscription over any link: line, tunnel, connector
    modem_link, trace      the only owner of a serial port; the tap that writes down what passes
    link, message          what a link offers; what people mean
    at, wire               what modems say; bytes <-> typed PDUs (both pure)
    pdu_schema, config, events
    wap_numbers, errors
"""
