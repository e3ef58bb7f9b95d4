"""Pages of docs/: made blocks are what the command makes, and measured ones are measured again."""

import re
from itertools import pairwise

import ancestral_page
import first_run_page
import pytest
import tuning_page
from pages import BLOCK, DOCS, blocks

from explorer.engine import Engine
from explorer.sampling.schedulers import KDPM2DiscreteScheduler
from explorer.settings import LaneSettings

PAGES = ("ancestral.md", "tune_a_schedule.md", "first_run.md")
KERNELS = 0.1  # relative: CPUs compute a network a little differently
ROUNDED = 1e-3


def numbers(table: str, row: str) -> list[float]:
    """The numbers of a table's row, which begins with these words."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {row} |")]
    return [float(text) for text in re.findall(r"\| (\d+\.\d+)", line)]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_blocks_that_need_no_model_are_those_that_the_command_makes():
    made = tuning_page.texts() | first_run_page.texts() | {"noise": ancestral_page.noise_table()}
    kept = {}
    for page in PAGES:
        kept |= blocks(page)
    assert {name: kept[name] for name in made} == made


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_their_pictures_and_no_empty_block(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert all(block[2].strip() for block in BLOCK.finditer(text))
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", text)
    for alt, path in pictures:
        assert alt
        assert (DOCS / path).stat().st_size
    for path in re.findall(r"\]\((?!https)([\w./]+)\)", text):
        assert (DOCS / path).exists(), path


def test_the_distances_are_measured_as_they_are_told(engine):
    steps = ancestral_page.STEPS[:2]
    ((plain, ancestral),) = ancestral_page.distances(ancestral_page.runs_of(engine, steps))
    told = numbers(blocks(ancestral_page.PAGE)["distances"], f"{steps[0]} steps | {steps[1]} steps")
    assert told == pytest.approx([plain, ancestral], rel=KERNELS, abs=ROUNDED)
    table = blocks(ancestral_page.PAGE)["distances"]
    rows = [numbers(table, f"{n} steps | {2 * n} steps") for n in ancestral_page.STEPS[:-1]]
    assert all(one[0] > 2 * two[0] for one, two in pairwise(rows))  # shrinks
    assert min(row[1] for row in rows) > 0.5  # does not


def test_the_errors_are_measured_as_they_are_told(engine):
    seed = tuning_page.TUNED_ON[0]
    fresh = tuning_page.errors(engine, [seed])[:, 0]
    table = blocks(tuning_page.PAGE)["errors"]
    told = [numbers(table, name)[0] for name in tuning_page.LANES]
    assert told == pytest.approx(fresh, rel=KERNELS, abs=ROUNDED)


def test_the_tuned_schedule_is_the_best_of_the_table_on_the_seeds_it_was_tuned_on():
    table = blocks(tuning_page.PAGE)["errors"]
    together = {name: numbers(table, name)[-1] for name in tuning_page.LANES}
    assert min(together, key=together.__getitem__) == list(tuning_page.LANES)[-1]


def test_the_code_gives_the_list():
    text = tuning_page.texts()["code"].split("```python\n")[1].split("```")[0]

    class pipe:
        scheduler = KDPM2DiscreteScheduler(**LaneSettings().scheduler_config())

    exec(text, {"pipe": pipe})
    pipe.scheduler.set_timesteps(tuning_page.STEPS)
    listed = [float(each) for each in tuning_page.sigma_list().strip("`\n").split(",")]
    assert pipe.scheduler.schedule.sigma == pytest.approx(listed[:-1], abs=1e-4)
