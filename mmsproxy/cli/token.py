"""`mmsproxy token`: who may use the gateway. By the API of the running gateway, with a token of scope admin such as its first one.

A token is never written to the database by this command itself: the database has one owner, the gateway.
"""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from mmsproxy.cli.api import Access, AsJson, connect, segment
from mmsproxy.cli.tables import print_table

app = App(name="token", help="Make, list and revoke tokens of a running gateway.")
Scope = Literal["messages:send", "messages:read", "webhooks", "lines", "admin"]
DEFAULT_SCOPES: tuple[Scope, ...] = ("messages:send", "messages:read")
COLUMNS = ("id", "name", "scopes", "created", "last used", "revoked")


@app.command
def create(
    name: str,
    /,
    *,
    scope: Annotated[list[Scope] | None, Parameter(negative=())] = None,
    per_hour: int = 0,
    per_day: int = 0,
    json: AsJson = False,
    access: Access | None = None,
) -> None:
    """Make a token. It is printed this once; the gateway keeps only its hash.

    Parameters
    ----------
    name
        What it is for, for example door-cam.
    scope
        What it may do; may be given several times. Default: messages:send and messages:read.
    per_hour
        Messages an hour at most; 0: as the configuration says for all tokens.
    per_day
        Messages a day at most; 0: as the configuration says for all tokens.
    json
        Print JSON.
    """
    wanted = {"name": name, "scopes": list(scope or DEFAULT_SCOPES), "per_hour": per_hour, "per_day": per_day}
    made = connect(access).post("/v1/tokens", wanted)
    if json:
        print(json_module.dumps(made, indent=2))
        return
    print(made["token"])  # alone on stdout, for TOKEN=$(mmsproxy token create ...)
    print(f"token {made['id']} for {name}, may: {', '.join(made['scopes'])}. It is not shown again.", file=sys.stderr)


@app.command(name="list")
def list_(*, json: AsJson = False, access: Access | None = None) -> None:
    """List the tokens, but for the first one in web.token_file.

    Parameters
    ----------
    json
        Print JSON, one object a line.
    """
    found = connect(access).get("/v1/tokens")["data"]
    if json:
        for token in found:
            print(json_module.dumps(token))
        return
    rows = [(item["id"], item["name"], " ".join(item["scopes"]), item["created_at"], item["used_at"], item["revoked_at"]) for item in found]
    print_table(COLUMNS, rows, empty="no tokens but the first one")


@app.command
def revoke(id: str, /, *, access: Access | None = None) -> None:
    """Revoke a token: it is refused from now on.

    Parameters
    ----------
    id
        The token's id, as `mmsproxy token list` shows it.
    """
    connect(access).call("DELETE", f"/v1/tokens/{segment(id)}")
    print(f"{id} is revoked", file=sys.stderr)
