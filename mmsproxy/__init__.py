"""mmsproxy: a local MMSC proxy that sends MMS through the TCP socket of a cellular modem.

The rooms, from the doors down to the wire (imports go down only):

    __main__, cli          the command line
    server, simulator      wires the rooms; a modem and a carrier to try it all without hardware
    web                    the front doors: mm1 (MMS software), api (JSON), shapes of other gateways; webhooks, metrics
    post                   the post office: store, state machine (job, policy), clerk, outbox, reports: all that is durable
    carrier                one subscription over any link: line, tunnel, connector
    modem_link, host_link  the ways into the mobile network: a serial modem, an interface of this host; trace: the tap on them
    modem, host            their parts: ports, locks, channel, stream, recovery; sockets and DNS bound to an interface
    link, message          what a link offers; what people mean (pure)
    at, wire               what modems say; bytes <-> typed PDUs (both pure)
    pdu_schema, wsp        the grammars of MMS and WSP in construct
    config (config_post, config_values), events, wap_numbers, errors
"""
