"""The `data` of a webhook: the message as the API shows it, with the state that the event tells.

Rule 1: a state that came after the event is another event's to tell; what is constant is as it is now. Rule 2: files by their address,
never inside. It knows no HTTP and makes no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmsproxy.post.records import Event
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import Context, resource
from mmsproxy.web.showing import size_limit
from mmsproxy.web.webhooks import Describe

TOLD_BY_THE_EVENT = ("status", "previous", "cause", "attempts")
OF_THE_MOMENT = ("queue_position", "estimated_send_at", "progress", "parts")  # they would be over before they are read, or take a decoding


def described(desk: Desk) -> Describe:
    """For `Webhooks`. Raises NotFound where the message was forgotten, StoreError."""

    async def describe(event: Event) -> Mapping[str, Any]:
        if event.message_id is None:
            return event.data
        message = await desk.store.message(event.message_id)
        attempts = await desk.store.attempts(message.job) if message.job.attempts else ()
        shown = resource(message, Context(attempts=attempts, size_limit=size_limit(desk, message.job)))
        for file in shown["media"]:
            file["url"] = f"/v1/messages/{message.job.id}/media/{file['n']}"
        told = {name: event.data[name] for name in TOLD_BY_THE_EVENT if name in event.data}
        return {**{name: value for name, value in shown.items() if name not in OF_THE_MOMENT}, **told}

    return describe
