"""What a public server needs: the simulation against the formula, the page against both."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import scaling

DOCS = Path(__file__).resolve().parents[1] / "docs"


def text(name: str) -> str:
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
def test_simulated_waits_have_the_mean_of_the_formula(load):
    waits = scaling.waits(load / 2.0, run_s=2.0, count=200_000)
    assert waits.mean() == pytest.approx(scaling.mean_wait(load / 2.0, 2.0), rel=0.05)
    assert (waits >= 0).all()
    assert np.mean(waits == 0) == pytest.approx(1 - load, abs=0.02)


def test_more_than_is_served_is_never_enough():
    assert scaling.mean_wait(1.0, run_s=1.0) == float("inf")
    for server in scaling.SERVERS:
        for visitors in scaling.VISITORS:
            count, load, wait = scaling.replicas(visitors, server.run_s)
            assert load < 1
            assert wait <= scaling.MOST_WAIT_S
            if 1 < count < 100:  # one less is too few
                arrivals = scaling.rate(visitors) / (count - 1)
                late = np.quantile(scaling.waits(arrivals, server.run_s), 0.95)
                assert late > scaling.MOST_WAIT_S or arrivals * server.run_s >= 1


def test_the_page_has_the_tables_and_the_figures_are_measured_ones():
    assert scaling.needs() in (DOCS / "scaling.md").read_text(encoding="utf-8")
    assert scaling.beside() in (DOCS / "scaling.md").read_text(encoding="utf-8")
    for source in [each.source for each in scaling.SERVERS] + list(scaling.PAGE.sources):
        assert source in text("measured.md"), source
    for server in scaling.SERVERS:
        assert f"{server.run_s:g}" in server.source
