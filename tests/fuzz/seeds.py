"""Where the fuzzers start: PDUs of our own encoder, and the shared corpus of real ones where it stands beside the checkout."""

from __future__ import annotations

import json
import random
from pathlib import Path

import made

MAX_SEED = 4096  # octets; a large part tells a mutator nothing
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def whole(target: str) -> list[bytes]:
    """All of one target, large ones too."""
    rand = random.Random(1)
    own = {"mms": made.mms_seeds, "push": made.push_seeds, "tpdu": made.tpdu_seeds}[target](rand)
    return [octets for octets in [*own, *real(target)] if octets]


def seeds(target: str) -> list[bytes]:
    """What is mutated."""
    return [octets for octets in whole(target) if len(octets) <= MAX_SEED]


def real(target: str) -> list[bytes]:
    """Of the corpus; nothing where it is absent."""
    if not CORPUS.is_dir():
        return []
    folders = {"mms": ("valid", "malformed"), "push": ("wsp-push", "malformed"), "tpdu": ("sms-deliver",)}[target]
    files = [path.read_bytes() for folder in folders for path in sorted((CORPUS / folder).iterdir())]
    if target == "tpdu":
        return [bytes.fromhex(octets.decode()) for octets in files] + sample_layer("sms_deliver")
    return files + sample_layer("wsp_push" if target == "push" else "mms_pdu")


def sample_layer(layer: str) -> list[bytes]:
    """The samples of real networks of one layer, single ones and the parts of longer ones."""
    document = json.loads((CORPUS / "wap_push_samples.json").read_text())
    return [bytes.fromhex(part) for sample in document["samples"] if sample["layer"] == layer for part in sample["parts"]]
