"""Whether a run fits: whole, in parts, or not at all, with the numbers."""

import pytest

from explorer.byte_sizes import GIB, MIB, size_text
from explorer.runtime.memory_plan import (
    CPU_FIXED,
    MemoryNeed,
    TooLarge,
    describe,
    elements_at_once,
)
from explorer.settings.limits import LIMITS


def at_once(need: MemoryNeed, free: float, device_free: int | None = None) -> int:
    return elements_at_once(need, int(free), device_free, LIMITS.memory_share)


def need(**changed) -> MemoryNeed:
    usual = {
        "call": 100 * MIB,
        "pair": 2,
        "batch": 16,
        "decode": 50 * MIB,
        "encode": 0,
        "recording": 200 * MIB,
        "size": (512, 768),
    }
    return MemoryNeed(**usual | changed)


def test_with_room_the_whole_batch_goes_at_once():
    assert at_once(need(), 64 * GIB) == 16
    assert describe(need(), 16) == "the networks take up to 5.7 GiB"


@pytest.mark.parametrize(
    ("free", "elements"),
    [(7 * GIB, 16), (4 * GIB, 8), (2.5 * GIB, 4), (1.5 * GIB, 2)],
)
def test_with_less_it_goes_in_parts_of_whole_pairs(free, elements):
    assert at_once(need(), free) == elements
    assert need().networks(elements) + need().recording <= free


def test_parts_are_named():
    assert describe(need(), 4) == "the networks take up to 1.6 GiB, in 4 parts"
    assert describe(need(batch=6), 4).endswith("in 2 parts")


def test_what_has_no_room_is_refused_with_the_numbers():
    with pytest.raises(TooLarge) as caught:
        at_once(need(), 500 * MIB)
    assert str(caught.value) == (
        "This run needs 1.1 GiB of memory: 956.0 MiB for one picture of 512 x 768 in the "
        "networks, 200.0 MiB for the recording; 500.0 MiB is free. Lower the picture's size, the "
        "steps, the batch size or the number of lanes."
    )


@pytest.mark.parametrize("changed", [{"decode": 2 * GIB}, {"encode": 2 * GIB}, {"call": GIB}])
def test_every_network_counts(changed):
    assert at_once(need(), 4 * GIB) == 8
    with pytest.raises(TooLarge):
        at_once(need(**changed), 4 * GIB)


def test_a_recording_alone_may_be_too_much():
    with pytest.raises(TooLarge, match=r"3\.0 GiB for the recording"):
        at_once(need(recording=3 * GIB), 2 * GIB)


def test_noise_of_samplers_counts_where_it_is():
    assert at_once(need(noise=GIB), 5 * GIB) == 8
    with pytest.raises(TooLarge, match=r"the recording, 3\.0 GiB for the noise of DPM\+\+ SDE; 2"):
        at_once(need(noise=3 * GIB), 2 * GIB)
    on_gpu = need(noise=GIB, on_gpu=True, noise_on_gpu=True)
    assert at_once(on_gpu, GIB, 4 * GIB) == 8
    assert at_once(need(on_gpu=True), GIB, 4 * GIB) == 16
    with pytest.raises(TooLarge, match=r"2\.8 GiB for one picture"):
        at_once(need(noise=2 * GIB, on_gpu=True, noise_on_gpu=True), GIB, GIB)


def test_a_gpu_has_memory_of_its_own():
    on_gpu = need(on_gpu=True)
    assert at_once(on_gpu, GIB, 80 * GIB) == 16
    assert at_once(on_gpu, GIB, 2 * GIB) == 8
    with pytest.raises(TooLarge, match=r"of the device's memory, of which 600\.0 MiB is free"):
        at_once(on_gpu, GIB, 600 * MIB)
    with pytest.raises(TooLarge, match=r"of the host's for the recording"):
        at_once(on_gpu, 100 * MIB, 80 * GIB)


def test_without_guidance_an_element_is_a_picture():
    alone = need(pair=1, batch=8)
    assert at_once(alone, CPU_FIXED + 200 * MIB + 500 * MIB) == 1


def test_bytes_as_people_write_them():
    assert [size_text(count) for count in (512, 3 * MIB, 5 * GIB)] == [
        "0.5 KiB",
        "3.0 MiB",
        "5.0 GiB",
    ]
