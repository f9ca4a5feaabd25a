"""Scripts in the order in which they came."""

from __future__ import annotations

import asyncio

import pytest

from mmsproxy.at.dialect import Ask, Script
from mmsproxy.errors import LinkLost
from mmsproxy.modem.jobs import FOR_EVER, Job, Jobs


def script() -> Script[str]:
    yield Ask(b"AT")
    return "done"


@pytest.fixture
async def jobs() -> Jobs:
    return Jobs()


def put(jobs: Jobs, *, of_stream: bool = False) -> asyncio.Future[str]:
    return jobs.put(script(), None, within=FOR_EVER, of_stream=of_stream)


async def test_first_come_first_served(jobs: Jobs) -> None:
    futures = [put(jobs), put(jobs, of_stream=True)]
    first, second = await jobs.next(None), await jobs.next(None)
    assert first is not None
    assert second is not None
    assert (first.future, second.future) == tuple(futures)
    assert (first.of_stream, second.of_stream) == (False, True)
    first.finish("a")
    first.finish("b")
    first.fail(LinkLost("too late"))
    assert await futures[0] == "a"


async def test_the_owner_is_woken_or_has_waited_long_enough(jobs: Jobs) -> None:
    jobs.wake()
    assert await jobs.next(None) is None
    assert await jobs.next(asyncio.get_running_loop().time() + 0.01) is None
    put(jobs)
    assert isinstance(await jobs.next(asyncio.get_running_loop().time() - 1), Job | None)


async def test_what_is_held_comes_when_the_line_is_free_again(jobs: Jobs) -> None:
    future = put(jobs)
    job = await jobs.next(None)
    assert job is not None
    jobs.hold(job)
    jobs.release()
    again = await jobs.next(None)
    assert again is not None
    assert again.future is future
    assert await jobs.next(None) is None


async def test_a_fault_ends_all_that_wait_each_with_an_error_of_its_own(jobs: Jobs) -> None:
    futures = [put(jobs), put(jobs)]
    job = await jobs.next(None)
    assert job is not None
    jobs.hold(job)
    jobs.wake()
    jobs.fail(LinkLost("gone", cure="plug"))
    errors = [future.exception() for future in futures]
    assert [str(error) for error in errors] == ["gone; plug"] * 2
    assert errors[0] is not errors[1]
    jobs.fail(LinkLost("nobody is left"))


async def test_who_gave_up_waiting_is_not_served(jobs: Jobs) -> None:
    future = put(jobs)
    future.cancel()
    job = await jobs.next(None)
    assert job is not None
    assert not job.is_wanted
    job.fail(LinkLost("nobody hears it"))
