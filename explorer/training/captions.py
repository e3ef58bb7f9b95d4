"""The scenes of the bundled model, their captions and vocabulary. No torch."""

import itertools
import string
import zlib
from dataclasses import dataclass
from random import Random

OBJECTS = {
    "sailboat": ("sailboat", "boat"),
    "car": ("car",),
    "house": ("house",),
    "castle": ("castle",),
    "tree": ("tree",),
    "balloon": ("balloon", "hot air balloon"),
    "rocket": ("rocket",),
    "lighthouse": ("lighthouse",),
    "tent": ("tent",),
    "mushroom": ("mushroom",),
    "heart": ("heart",),
    "star": ("star",),
}
COLOURS = {
    name: (name,)
    for name in [
        "red",
        "orange",
        "yellow",
        "green",
        "blue",
        "purple",
        "pink",
        "brown",
        "black",
        "white",
    ]
}
LANDS = {
    "sea": ("on the sea", "on the ocean", "on the water"),
    "desert": ("in the desert", "on sand"),
    "meadow": ("in a meadow", "on the grass"),
    "snow": ("in the snow", "in winter"),
}
TIMES = {
    "dawn": ("at dawn", "at sunrise"),
    "day": ("by day", "on a sunny day", "at noon"),
    "sunset": ("at sunset", "at dusk"),
    "night": ("at night", "under the moon"),
}
BACKDROPS = {
    "open": ("",),
    "mountains": ("with mountains", "in front of mountains"),
    "hills": ("with hills", "in front of hills"),
    "clouds": ("with clouds", "under clouds"),
}
ATTRIBUTES = {
    "object": OBJECTS,
    "colour": COLOURS,
    "land": LANDS,
    "time": TIMES,
    "backdrop": BACKDROPS,
}
HELD_OUT = 10  # one scene in this many is never trained on


@dataclass(frozen=True)
class Scene:
    """One combination of the five attributes; each is a key of its table above."""

    object: str
    colour: str
    land: str
    time: str
    backdrop: str

    @property
    def caption(self) -> str:
        """The plain caption: every attribute in its first wording."""
        return phrase([table[getattr(self, name)][0] for name, table in ATTRIBUTES.items()])

    @property
    def held_out(self) -> bool:
        """Whether training never sees this combination (fixed by its caption alone)."""
        return zlib.crc32(self.caption.encode()) % HELD_OUT == 0


def phrase(words: list[str]) -> str:
    """Join object, colour and the places ("" where unsaid) into "a red car on the sea at dusk"."""
    thing, colour, *places = words
    noun = f"{colour} {thing}".strip()
    article = "an" if noun[0] in "aeiou" else "a"
    return " ".join([article, noun, *filter(None, places)])


def every_scene() -> list[Scene]:
    """All combinations, in a fixed order; a scene's position is its number in training."""
    return [Scene(*keys) for keys in itertools.product(*ATTRIBUTES.values())]


def varied_caption(scene: Scene, random: Random) -> str:
    """A random caption of `scene`: other wordings, another order, attributes left out.

    Some contain a made-up word, so that the model learns to ignore unknown words.
    """
    words = [random.choice(table[getattr(scene, name)]) for name, table in ATTRIBUTES.items()]
    thing, colour, *places = words
    unsaid = random.random() < 0.4
    colour = "" if unsaid and random.random() < 0.25 else colour
    places = ["" if unsaid and random.random() < 0.4 else place for place in places]
    if random.random() < 0.3:
        random.shuffle(places)
    words = phrase([thing, colour, *places]).split()
    if random.random() < 0.15:
        stray = "".join(random.choices(string.ascii_lowercase, k=random.randint(2, 8)))
        words.insert(random.randint(0, len(words)), stray)
    return " ".join(words)


def vocabulary() -> list[str]:
    """Every word that a caption can contain, sorted."""
    wordings = itertools.chain.from_iterable(
        itertools.chain.from_iterable(table.values()) for table in ATTRIBUTES.values()
    )
    return sorted({word for wording in wordings for word in wording.split()} | {"a", "an"})


EXAMPLES = (
    "a red sailboat on the sea at sunset with mountains",
    "a purple castle in the snow at night",
    "an orange balloon in a meadow at dawn with hills",
    "a white lighthouse on the sea by day with clouds",
    "a blue car in the desert at sunset",
    "a green mushroom in a meadow by day",
)
