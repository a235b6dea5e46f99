"""Hear hypotheses for nothing: leave early, go on after the plan or the licence, fill the disk."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from appliance.config.products import SPEECH_TO_TEXT
from license.authority.authority import Authority
from tests.support import disks
from tests.support.site import Service, Site
from tests.support.speech_site import speech_site
from tests.support.speech_usage import seconds_counted, settled
from tests.support.tones import RATE, silence, speak, wave
from tests.support.usp import CHUNK, Wire, header, turn_id

PLAN = 10
TALK = speak("this is said on and on without a pause so that no phrase ends")  # about five seconds


@pytest.fixture
def blocking(tmp_path: Path, vendor: Authority) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(**issue: object) -> Site:
        plan = {"meters": {SPEECH_TO_TEXT.meter: PLAN}, "overage": "block"}
        sites.append(speech_site(tmp_path / "site", vendor, **{**plan, **issue}))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


def started(site: Site, tones: Path) -> Service:
    return site.start("Service=speechtotext", f"Mounts:Model={tones}")


def heard(wire: Wire) -> float:
    """Seconds of audio that hypotheses of a connection went up to."""
    told = [body for path, body in wire.seen if path == "speech.hypothesis"]
    return max(((body["Offset"] + body["Duration"]) / 1e7 for body in told), default=0.0)


def listen(wire: Wire, seconds: float) -> int:
    """Receive for so long; the code that the service closed with, or 0."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            wire.receive(left)
        except TimeoutError:
            return 0
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
    return 0


def leave(wire: Wire) -> None:
    """Go without a word, as a client whose network is cut."""
    wire.socket.socket.close()


def endless(seconds: float) -> bytes:
    return wave(np.tile(TALK, int(seconds * RATE / len(TALK)) + 1)[: int(seconds * RATE)])


def test_hypotheses_heard_before_leaving_are_counted_and_end_with_the_plan(
    blocking: Callable[..., Site], tones: Path
) -> None:
    service = started(blocking(), tones)
    with service.client() as client:
        taken, codes = [], []
        for _ in range(3):  # once was enough to hear eleven seconds for nothing, as often as one liked
            try:
                wire = Wire(service.url, "conversation")
            except InvalidStatus as refused:
                codes.append(refused.response.status_code)
                continue
            wire.say(turn_id(), endless(PLAN + 1.0), end=False)
            codes.append(listen(wire, 3))
            taken.append(heard(wire))
            leave(wire)
        counted = settled(lambda: seconds_counted(service, client))
    assert 4429 in codes
    assert codes[-1] in (403, 4429)
    assert 8 < sum(taken) <= counted <= PLAN


def test_each_second_is_recorded_before_a_hypothesis_about_it_leaves(
    blocking: Callable[..., Site], tones: Path
) -> None:
    service = started(blocking(overage="record"), tones)
    pcm = endless(6.0)
    with service.client() as client, Wire(service.url, "conversation") as wire:
        turn = turn_id()
        wire.audio(turn, header())
        for at in range(0, len(pcm), CHUNK):
            wire.audio(turn, pcm[at : at + CHUNK])
            if listen(wire, 0.02):
                break
            assert heard(wire) <= seconds_counted(service, client)
        assert heard(wire) > 4
        leave(wire)
        assert settled(lambda: seconds_counted(service, client)) == 6


def test_an_open_connection_ends_with_the_plan(blocking: Callable[..., Site], tones: Path) -> None:
    service = started(blocking(), tones)
    with service.client() as client, Wire(service.url, "conversation") as early:
        with Wire(service.url, "conversation") as other:
            other.say(turn_id(), endless(PLAN), end=False)
            listen(other, 2)
            leave(other)
        assert settled(lambda: seconds_counted(service, client)) == PLAN
        early.say(turn_id(), wave(np.concatenate((silence(0.3), speak("still here"), silence(1.0)))))
        code, _ = early.closed()
        assert code == 4429
        assert heard(early) == 0
        assert seconds_counted(service, client) == PLAN


@pytest.mark.slow
def test_an_open_connection_ends_with_the_licence_also_in_silence(
    blocking: Callable[..., Site], tones: Path
) -> None:
    ends = int(time.time()) + 14  # a busy machine takes long to start
    dates = {"report_by": ends - 1, "expires": ends - 1, "terminates": ends}
    service = started(blocking(changes=dates, overage="record"), tones)
    with Wire(service.url, "conversation") as talking, Wire(service.url, "conversation") as quiet:
        one, two = turn_id(), turn_id()
        talking.say(one, wave(speak("on and on")), end=False)
        quiet.say(two, wave(silence(0.5)), end=False)
        assert listen(talking, 1) == 0
        time.sleep(max(0.0, ends + 1.5 - time.time()))
        before = heard(talking)
        talking.audio(one, wave(speak("and on")))
        quiet.audio(two, wave(silence(1.5)))
        assert talking.closed()[0] == 1008
        assert quiet.closed()[0] == 1008
        assert heard(talking) == before


def test_a_full_disk_ends_hypotheses(blocking: Callable[..., Site], tones: Path) -> None:
    disks.require_mounts()
    site = blocking(overage="record")
    with disks.tmpfs(site.output, megabytes=24):
        service = started(site, tones)
        with service.client() as client, Wire(service.url, "conversation") as wire:
            wire.say(turn_id(), endless(2.0), end=False)
            assert listen(wire, 1) == 0
            assert heard(wire) > 1
            disks.fill(site.output / "filler")
            assert [heard_of_a_turn(service, client) for _ in range(5)] == [0.0] * 5
        site.close()


def heard_of_a_turn(service: Service, client: httpx2.Client) -> float:
    """What one more turn is told while nothing can be recorded."""
    before = seconds_counted(service, client)
    try:
        with Wire(service.url, "conversation") as wire:
            wire.say(turn_id(), endless(6.0), end=False)
            code = listen(wire, 10)
            told = heard(wire)
    except InvalidStatus as refused:
        assert refused.response.status_code == 503
        return 0.0
    if seconds_counted(service, client) > before:  # the disk had room for this one after all
        return 0.0
    assert code == 1013
    return told
