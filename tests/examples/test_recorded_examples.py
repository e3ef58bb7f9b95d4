"""The recorded examples, made again by the bundled model: the same numbers, the same claims."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch

from explorer.assets import asset
from explorer.engine import Engine
from explorer.examples.measuring import is_equal
from explorer.examples.recipes import RECIPES, Recipe
from explorer.examples.recording import base_settings, surroundings, use_threads
from explorer.records.examples import Examples, example_id
from explorer.records.run import RecordedRun

EXAMPLES = Examples(asset("examples"))
MADE_WITH = EXAMPLES.table.made_with
# Where one of these is another, the last bits of a product of matrices are others.
BITS = ("torch", "diffusers", "machine", "processor", "cpu_capability")
OTHER = [name for name in BITS if surroundings().get(name) != MADE_WITH[name]]
HOW = f"within rounding, as {' and '.join(OTHER)} differ" if OTHER else "to the bit"
LATENTS, LEVELS = 2e-3, 2  # of the final latents, where rounding differs; of pictures

recipes = pytest.mark.parametrize("recipe", RECIPES, ids=[f"{each.key} {HOW}" for each in RECIPES])


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The bundled model with as many threads as made the examples."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", MADE_WITH["threads"])  # taken back when the tests are over
        use_threads(int(MADE_WITH["threads"]))
        yield Engine(device="cpu")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(engine):
    """`engine.run`, once for equal settings."""
    return cache(engine.run)


def recorded(recipe: Recipe) -> RecordedRun:
    return EXAMPLES.open(example_id(recipe.key))


@recipes
def test_running_its_settings_repeats_it(recipe, run):
    old = recorded(recipe)
    new = run(old.run_settings)
    assert [lane.nfe for lane in new] == [lane.nfe for lane in old]
    for now, then in zip(new, old, strict=True):
        if not OTHER:
            assert is_equal(now, then)
            assert np.array_equal(now.images, then.images)
            continue
        np.testing.assert_allclose(now.final, then.final, atol=LATENTS, err_msg=HOW)
        assert np.abs(now.images.astype(int) - then.images).max() <= LEVELS, HOW
        for call, its in zip(now.calls, then.calls, strict=True):
            np.testing.assert_allclose(
                call.denoised, its.denoised, atol=10 * LATENTS, err_msg=f"{HOW}, call {call.index}"
            )


@recipes
def test_its_settings_are_those_of_the_recipe(recipe, engine):
    assert recorded(recipe).run_settings == recipe.settings(base_settings(engine))


def test_the_first_one_has_the_settings_that_a_page_begins_with(engine):
    defaults = base_settings(engine)
    assert recorded(RECIPES[0]).run_settings == defaults
    assert defaults.seed == 7


@recipes
def test_its_claim_is_what_is_measured_now(recipe, run):
    card = EXAMPLES.card(example_id(recipe.key))
    measured = recipe.measure(run, run(recorded(recipe).run_settings))
    assert measured.keys() == card.figures.keys()
    for name, value in measured.items():
        if isinstance(value, int):
            assert card.figures[name] == value, name
        else:
            assert card.figures[name] == pytest.approx(value, rel=0.02, abs=1e-9), name
    words = recipe.card(dict(card.figures))
    assert (words.title, words.claim, words.look) == (card.title, card.claim, card.look)
    assert words.see == card.see


def test_the_sun_is_where_the_first_card_says():
    """Counted in the call of the card: pixels as bright and yellow as the sun at its last call."""
    run, card = recorded(RECIPES[0]), EXAMPLES.cards[0]

    def suns(call: int) -> list[int]:
        frames = (lane.sheets["denoised"].frames()[call].astype(int) for lane in run.lanes)
        return [int(np.sum(np.abs(each - (254, 206, 106)).max(axis=-1) < 24)) for each in frames]

    has, has_not = suns(card.see["call"])
    assert has > 60
    assert has_not == 0
    assert suns(-1)[1] == 0
    first = [lane.calls[0] for lane in run]
    assert np.array_equal(first[0].denoised, first[1].denoised)


def test_the_few_calls_make_a_night_of_a_sunset_and_eulers_do_not():
    """By the mean brightness of the sky."""
    run = EXAMPLES.open(example_id("few_calls"))
    many, few, euler = (float(lane.images[0, :40].mean()) for lane in run)
    assert abs(many - euler) < 3
    assert few < many / 2
    kept, discarded = (
        float(t.images[0, :40].mean()) for t in EXAMPLES.open(example_id("penultimate"))
    )
    assert kept < discarded / 2
