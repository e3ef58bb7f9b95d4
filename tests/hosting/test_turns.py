"""Who asks for much at once waits for itself: turns by address."""

import asyncio

from loops import finish

from explorer.hosting.turns import Turns

GONE = {"type": "http.disconnect"}


class Server:
    """An application whose answers are made when they may be, and its turns."""

    def __init__(self, at_once=2):
        self.turns, self.may = Turns(at_once), asyncio.Event()
        self.begun, self.over, self.sent, self.gone = [], [], [], asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def app(self, scope, receive, send):
        self.begun.append(scope["client"][0])
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(self, address):
        async def receive():
            await self.gone.wait()
            return GONE

        async def send(message):
            await self.reads.wait()
            self.sent.append(address)

        scope = {"type": "http", "client": (address, 1), "headers": []}
        over = lambda: self.over.append(address)  # noqa: E731
        await self.turns.answer(self.app, scope, receive, receive, send, over)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def asking(server, *addresses):
    asked = [asyncio.create_task(server.ask(address)) for address in addresses]
    await settle()
    return asked


def test_an_address_has_few_turns_and_leaves_others_theirs():
    async def work():
        server = Server()
        asked = await asking(server, *["192.0.2.1"] * 40, "192.0.2.2")
        begun = list(server.begun)
        server.may.set()
        await asyncio.gather(*asked)
        return begun, server

    begun, server = finish(work())
    assert begun == ["192.0.2.1", "192.0.2.1", "192.0.2.2"]
    assert len(server.sent) == len(server.over) == 41 and len(server.turns) == 0


def test_whoever_goes_while_it_waits_is_not_answered():
    async def work():
        server = Server()
        asked = await asking(server, *["192.0.2.1"] * 40)
        server.gone.set()
        await settle()
        left = [each for each in asked if not each.done()]
        server.may.set()
        await asyncio.gather(*asked)
        return left, server

    left, server = finish(work())
    assert len(left) == len(server.begun) == 2
    assert len(server.over) == 40 and len(server.turns) == 0


def test_whoever_does_not_read_an_answer_keeps_no_turn():
    async def work():
        server = Server()
        server.reads.clear()
        server.may.set()
        asked = await asking(server, *["192.0.2.1"] * 10)
        begun, over = len(server.begun), len(server.over)
        server.reads.set()
        await asyncio.gather(*asked)
        return begun, over

    assert finish(work()) == (10, 10)


def test_without_an_address_there_are_no_turns():
    async def work():
        turns = Turns(1)
        async with turns.of(""), turns.of(""):
            return len(turns)

    assert finish(work()) == 0
