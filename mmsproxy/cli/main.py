"""The command line: finds the command, imports only what it needs (`--version` answers in under 0.3 s), turns errors into exit codes.

Exit codes: 0 done, 1 the work failed (a message was not accepted, a PDU is malformed), 2 usage or configuration.
"""

from __future__ import annotations

import sys

from cyclopts import App

from mmsproxy.cli.terminal import lenient
from mmsproxy.errors import ConfigError, MmsproxyError
from mmsproxy.version import __version__

NOTHING_TRIED = ("usage", "unreachable")  # codes of errors for which nothing was done

app = App(
    name="mmsproxy",
    version=__version__,
    help="A local MMSC proxy: sends MMS through the TCP socket of a cellular modem, with nothing but a SIM.",
)
app.command("mmsproxy.cli.serve:serve", name="serve", help="Run the gateway.")
app.command("mmsproxy.cli.send:send", name="send", help="Send a text or pictures through a running gateway, and follow them.")
app.command("mmsproxy.cli.messages:app", name="messages", help="List, show, cancel, retry and resolve messages.")
app.command("mmsproxy.cli.token:app", name="token", help="Make, list and revoke tokens of a running gateway.")
app.command("mmsproxy.cli.pause:pause", name="pause", help="Stop sending: everything, or one line.")
app.command("mmsproxy.cli.pause:resume", name="resume", help="Send again what waits.")
app.command("mmsproxy.cli.decode:decode", name="decode", help="Show an MMS PDU as a readable tree.")
app.command("mmsproxy.cli.encode:encode", name="encode", help="Make an MMS PDU from its JSON form.")
app.command("mmsproxy.cli.simulate:app", name="simulate", help="Run a simulated modem or a simulated carrier on its own.")
app.command("mmsproxy.cli.doctor:doctor", name="doctor", help="Check port, modem, SIM, network and carrier; each failure with its cure.")
app.command("mmsproxy.cli.ports:ports", name="ports", help="List the serial ports and what each is for.")
app.command("mmsproxy.cli.config:app", name="config", help="Check a configuration file.")


def main() -> None:
    """Entry point of `mmsproxy`. Errors of the house become one line on stderr."""
    lenient((sys.stdout, sys.stderr))
    try:
        app()
    except ConfigError as error:
        print(error.detail, file=sys.stderr)
        sys.exit(2)
    except MmsproxyError as error:
        print(f"mmsproxy: {error}", file=sys.stderr)
        sys.exit(2 if error.code in NOTHING_TRIED else 1)
    except BrokenPipeError:
        sys.stderr.close()  # `mmsproxy decode x | head`: the reader has left, which is no fault
        sys.exit(1)
