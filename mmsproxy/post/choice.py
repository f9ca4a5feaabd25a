"""SMS or MMS: the choice that `as` leaves open. Pure.

MMS carries media, a subject, a group, and a text that would take more SMS parts than the user pays for (delivery.md 7).
"""

from __future__ import annotations

from dataclasses import dataclass

from mmsproxy.message.model import SendRequest
from mmsproxy.post.admission import Refusal, Refused
from mmsproxy.post.job import Kind
from mmsproxy.wire.sms_split import MAX_PARTS, PartCount, count_parts


@dataclass(frozen=True, slots=True)
class Choice:
    """`why`: asked (by the sender or the configuration), media, subject, group, long_text, short_text. `sms` counts the text as SMS; None
    without text."""

    kind: Kind
    why: str
    sms: PartCount | None

    @property
    def parts(self) -> int:
        return 0 if self.sms is None else self.sms.parts

    @property
    def cost(self) -> int:
        """Units of the caps for one recipient, or one group: 1 for an MMS, an SMS by its parts (delivery.md 9)."""
        return self.parts if self.kind is Kind.SMS else 1


def choose(wanted: SendRequest, *, sms_parts: int, auto: str = "auto", has_sms: bool = True) -> Choice:
    """How the message goes out.

    sms_parts  a text of more parts is an MMS; auto  what `as: auto` means for a text alone: auto, mms, sms
    has_sms    whether a line that may send it can send SMS at all; an interface of this host cannot
    Raises Refused for what was asked as SMS and cannot be one.
    """
    sms = count_parts(wanted.text) if wanted.text else None
    if wanted.as_ == "sms":
        _check_sms(sms, has_sms=has_sms)
        return Choice(Kind.SMS, "asked", sms)
    if wanted.as_ == "mms":
        return Choice(Kind.MMS, "asked", sms)
    return _automatic(wanted, sms, sms_parts, auto if has_sms else "mms")


def _automatic(wanted: SendRequest, sms: PartCount | None, sms_parts: int, auto: str) -> Choice:
    if wanted.media or sms is None:
        return Choice(Kind.MMS, "media", sms)
    if wanted.subject:
        return Choice(Kind.MMS, "subject", sms)
    if wanted.is_group:
        return Choice(Kind.MMS, "group", sms)
    if auto == "mms" or sms.parts > (MAX_PARTS if auto == "sms" else sms_parts):
        return Choice(Kind.MMS, "asked" if auto == "mms" else "long_text", sms)
    return Choice(Kind.SMS, "short_text", sms)


def _check_sms(sms: PartCount | None, *, has_sms: bool) -> None:
    """What the request's own check cannot know: the lines, and how the text is cut."""
    wrong = []
    if not has_sms:
        wrong.append(Refusal("/as", "no_line", "no line that may send this has a modem for SMS; write as: auto or mms"))
    if sms is not None and sms.parts > MAX_PARTS:
        wrong.append(Refusal("/text", "too_large", f"{sms.parts} SMS parts; at most {MAX_PARTS} make one text, write as: mms"))
    if wrong:
        raise Refused(tuple(wrong))
