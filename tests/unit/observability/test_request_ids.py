"""Request ids are UUIDs of version 7, and no process or thread gives one twice."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from appliance.request_ids import uuid7


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    found = [UUID(uuid7()) for _ in range(2_000)]
    after = time.time_ns() // 1_000_000
    assert {(one.version, one.variant) for one in found} == {(7, "specified in RFC 4122")}
    assert all(before <= one.int >> 80 <= after for one in found)
    assert {str(one)[19] for one in found} == set("89ab")


def test_ids_of_threads_and_of_a_forked_process_are_all_different() -> None:
    uuid7()  # from here on there are random digits that a fork could repeat
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, "".join(uuid7() for _ in range(100)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    forked = {text[start : start + 36][15:] for start in range(0, len(text), 36)}  # without the time
    with ThreadPoolExecutor(4) as pool:
        ours = {one[15:] for one in pool.map(lambda _: uuid7(), range(4_000))}
    assert len(forked) == 100
    assert len(ours) == 4_000
    assert not forked & ours
