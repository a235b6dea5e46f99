"""Weights in the format of CTranslate2 are read as they were written."""

import numpy as np
import pytest

from recipes.speech.whisper.ct2_file import Ct2Error, read_arrays
from tests.support.tiny_whisper import arrays, packed


def test_arrays_come_out_as_they_were_written() -> None:
    written = arrays()
    read = read_arrays(packed(written))
    assert list(read) == list(written)
    for name, value in written.items():
        assert read[name].dtype == value.dtype
        assert np.array_equal(read[name], value), name


def test_rows_in_8_bits_are_divided_by_their_factors() -> None:
    found = read_arrays(
        packed(
            {
                "a/weight": np.array([[127, -64], [10, 20]], np.int8),
                "a/weight_scale": np.array([127, 10], np.float32),
            }
        )
    )
    assert list(found) == ["a/weight"]
    assert np.allclose(found["a/weight"], np.array([[1, -64 / 127], [1, 2]]))


def test_half_precision_is_read() -> None:
    value = np.array([0.5, -2], np.float16)
    assert np.array_equal(read_arrays(packed({"a": value}))["a"], value)


@pytest.mark.parametrize("size", [0, 3, 10, 40, 400])
def test_a_file_that_breaks_off_is_refused(size: int) -> None:
    with pytest.raises(Ct2Error, match=f"ends at byte {size}"):
        read_arrays(packed(arrays())[:size])


def test_another_version_and_another_model_are_refused_by_name() -> None:
    with pytest.raises(Ct2Error, match="binary version 5"):
        read_arrays(packed({}, version=5))
    with pytest.raises(Ct2Error, match="TransformerSpec"):
        read_arrays(packed({}, specification="TransformerSpec"))


def test_a_shape_that_does_not_fit_its_numbers_is_refused() -> None:
    data = packed({"name": np.zeros((2, 3), np.float32)})
    changed = data.replace(b"\x02\x02\0\0\0\x03\0\0\0", b"\x02\x02\0\0\0\x04\0\0\0")
    assert changed != data
    with pytest.raises(Ct2Error, match=r"name has 6 numbers, and its shape \[2, 4\] wants 8"):
        read_arrays(changed)
