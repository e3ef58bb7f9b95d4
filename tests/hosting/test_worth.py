"""Whether several workers are said to be worth it, by what was measured of them."""

import pytest

from explorer.hosting.workers.worth import advice


class Measured:
    def __init__(self, alone: float, together: float):
        self.alone, self.together = alone, together

    def seconds_of_a_run(self, alone: bool) -> float:
        return self.alone if alone else self.together


@pytest.mark.parametrize(
    ("alone", "together", "warns"), [(1, 1.1, False), (1, 2, True), (1, 4, True)]
)
def test_a_warning_comes_where_one_worker_does_as_many_runs(alone, together, warns):
    sentence = advice([Measured(alone, together), Measured(alone, together)])
    assert bool(sentence) == warns
    if warns:
        assert f"{2 * alone / together:.2f} times the runs of one" in sentence
        assert "--workers 1" in sentence
