"""The storages' state."""

from __future__ import annotations

from mmsproxy.simulator.messages import CAPACITY, ME, SM, Message, Messages, Storage


def test_a_storage_gives_the_lowest_free_index_and_ends_when_full() -> None:
    storage = Storage(2, first=5)
    assert [storage.put(Message("00")) for _ in range(3)] == [5, 6, None]
    del storage.slots[5]
    assert storage.put(Message("00")) == 5


def test_the_length_leaves_the_service_centre_out() -> None:
    assert Message("00AABB").length == 2
    assert Message("0791447758100650AABBCC").length == 3


def test_references_wrap_at_eight_bits() -> None:
    messages = Messages()
    assert [messages.next_reference() for _ in range(257)][-3:] == [255, 0, 1]


def test_each_storage_has_its_capacity() -> None:
    messages = Messages()
    assert {name: storage.total for name, storage in messages.storages.items()} == CAPACITY
    assert (messages.storages[SM].put(Message("00")), messages.storages[ME].put(Message("00"))) == (1, 0)
