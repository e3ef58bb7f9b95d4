"""A run's latents over HTTP: of its visitor alone, whole to the bit, or a sentence."""

import json
from dataclasses import replace

import httpx
import numpy as np
import pytest
from loops import finish
from made_runs import SHAPE, made_run
from starlette.applications import Starlette

from explorer.assets import asset
from explorer.hosting import latent_routes
from explorer.hosting.run_store import RunStore
from explorer.records import History
from explorer.records.examples import Examples
from explorer.records.run import RecordedRun, new_run_id

ME, OTHER = "0123456789abcdef" * 2, "f" * 32


class Memory:
    """The runs of a process, as the registry has them."""

    def __init__(self, run: RecordedRun):
        self.run = run

    def recorded(self, id, owner):
        return self.run if (id, owner) == (self.run.id, ME) else None


def ask(store, path, visitor=ME) -> httpx.Response:
    app = Starlette(routes=latent_routes.routes(lambda request: store))

    async def asked():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            return await client.get(path, headers={"x-visitor": visitor} if visitor else {})

    return finish(asked())


@pytest.fixture(scope="module")
def run() -> RecordedRun:
    return replace(made_run(), id=new_run_id())


@pytest.fixture(params=["memory", "history"])
def store(request, run, tmp_path) -> RunStore:
    if request.param == "memory":
        return RunStore(None, Memory(run))
    History(tmp_path, ME).add(run)
    return RunStore(tmp_path)


def test_the_body_has_scales_and_latents(store, run):
    answer = ask(store, f"/runs/{run.id}/latents/1?call=2")
    assert answer.status_code == 200
    said = json.loads(answer.headers["x-latents"])
    assert said == {"first": 0, "count": 5, "shape": list(SHAPE)}
    scales = np.frombuffer(answer.content[: 4 * 5], "<f4")
    values = np.frombuffer(answer.content[4 * 5 :], "<f2").reshape(5, *SHAPE)
    for call, scale, value in zip(run[1].calls, scales, values, strict=True):
        np.testing.assert_array_equal(value.astype(np.float32) * scale, call.latent)
    assert answer.headers["cache-control"] == "no-store"


def test_another_visitor_has_no_such_run(store, run):
    answer = ask(store, f"/runs/{run.id}/latents/0", visitor=OTHER)
    assert (answer.status_code, list(answer.json())) == (404, ["message"])
    assert ask(store, f"/runs/{run.id}/latents/0", visitor="").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "latents/2",
        "latents/-1",
        "latents/x",
        "latents/\u00b2",
        "latents/0?call=5",
        "latents/0?call=-1",
        "latents/0?call=1.5",
        "latents/0?call=" + "9" * 40,
    ],
)
def test_what_there_is_not_is_a_sentence(store, run, path):
    answer = ask(store, f"/runs/{run.id}/{path}")
    assert (answer.status_code, answer.json()["message"][-5:]) == (404, "call.")


def test_without_a_history_there_is_no_such_run():
    answer = ask(RunStore(None), f"/runs/{'0' * 32}/latents/0")
    assert answer.status_code == 404


def test_everybody_has_the_latents_of_the_examples():
    examples = Examples(asset("examples"))
    card = examples.cards[0]
    answer = ask(RunStore(None, examples=examples), f"/runs/{card.id}/latents/1?call=3")
    said = json.loads(answer.headers["x-latents"])
    assert said["shape"] == [1, 4, 16, 16]
    first = np.frombuffer(answer.content[4 * said["count"] :], "<f2")[: 4 * 16 * 16]
    scale = np.frombuffer(answer.content[:4], "<f4")[0]
    wanted = examples.open(card.id)[1].calls[said["first"]].latent
    np.testing.assert_array_equal(first.astype(np.float32) * scale, wanted.ravel())
