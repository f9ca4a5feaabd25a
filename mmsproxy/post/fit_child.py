"""The process that decodes pictures: reads jobs from stdin, writes answers to stdout, and may have nothing else.

Rule 1: it lives under limits of memory and processor time; over them it dies, and post/fitter.py starts another.
Rule 2: what goes back is JSON and octets, no pickle: a decoder that was taken over cannot run anything in the gateway.
A frame, both ways: lengths of the JSON and of the octets (two 32-bit numbers, big-endian), the JSON, the octets.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO

from mmsproxy.message import picture

MEMORY = 512 * 1024 * 1024  # octets of address space
CPU_SECONDS = 5.0  # for one picture
FRAME = struct.Struct(">II")


def frame(head: dict[str, Any], data: bytes = b"") -> bytes:
    """One frame."""
    text = json.dumps(head).encode()
    return FRAME.pack(len(text), len(data)) + text + data


def answer(head: dict[str, Any], data: bytes) -> bytes:
    """The frame that answers a job. {"budget": null} asks for the picture as it is, without what describes it."""
    try:
        if head["budget"] is None:
            return frame({}, picture.stripped(data))
        fitted = picture.fit(data, head["budget"], tuple(head["box"]))
    except picture.CannotShrink as error:
        return frame({"code": error.code, "detail": error.detail, "cure": error.cure, "smallest": error.smallest})
    except MemoryError:
        return frame(
            {"code": picture.BadPicture.code, "detail": "the picture takes too much memory to be decoded", "cure": "", "smallest": 0}
        )
    told = {"content_type": fitted.content_type, "width": fitted.width, "height": fitted.height, "quality": fitted.quality}
    return frame(told, fitted.data)


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answers job after job until the end of `source`."""
    while len(lengths := source.read(FRAME.size)) == FRAME.size:
        head_size, data_size = FRAME.unpack(lengths)
        head = json.loads(source.read(head_size))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # SIGPROF ends the process, inside a decoder's loop too
        octets = answer(head, source.read(data_size))
        signal.setitimer(signal.ITIMER_PROF, 0)
        target.write(octets)
        target.flush()


def limit_myself() -> None:
    """No more memory than MEMORY, no files written, no core dumps. What a system does not know is left out."""
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def main() -> None:
    """Ctrl-C at the terminal is for the gateway, which closes stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_myself()
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
