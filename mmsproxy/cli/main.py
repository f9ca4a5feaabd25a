"""The command line: finds the command, imports only what it needs (`--version` answers in under 0.3 s), turns errors into exit codes.

Exit codes: 0 done, 1 the work failed (a message was not accepted, a PDU is malformed), 2 usage or configuration.
"""

from __future__ import annotations

import sys

from cyclopts import App

from mmsproxy.errors import ConfigError, MmsproxyError
from mmsproxy.version import __version__

app = App(
    name="mmsproxy",
    version=__version__,
    help="A local MMSC proxy: sends MMS through the TCP socket of a cellular modem, with nothing but a SIM.",
)
app.command("mmsproxy.cli.serve:serve", name="serve", help="Run the gateway.")
app.command("mmsproxy.cli.send:send", name="send", help="Send a text as one MMS through a running gateway.")
app.command("mmsproxy.cli.decode:decode", name="decode", help="Show an MMS PDU as a readable tree.")
app.command("mmsproxy.cli.encode:encode", name="encode", help="Make an MMS PDU from its JSON form.")
app.command("mmsproxy.cli.simulate:app", name="simulate", help="Run a simulated modem or a simulated carrier on its own.")
app.command("mmsproxy.cli.config:app", name="config", help="Check a configuration file.")


def main() -> None:
    """Entry point of `mmsproxy`. Errors of the house become one line on stderr."""
    try:
        app()
    except ConfigError as error:
        print(error.detail, file=sys.stderr)
        sys.exit(2)
    except MmsproxyError as error:
        print(f"mmsproxy: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # `mmsproxy decode x | head`: the reader has left, which is no fault
        sys.exit(1)
