"""The nodes of a ComfyUI prompt graph, their values and links, and which of them were read.

A graph is an object of nodes by id, `{"class_type": ..., "inputs": {...}}`; an input is a value, or
a link `[id, output]` to another node.
"""

from collections.abc import Iterable, Mapping
from typing import Any

DEEPEST = 64  # links followed in a row
VALUE_INPUTS = ("value", "int", "float", "number", "seed", "noise_seed", "text", "string", "prompt")


class Node:
    """A node, and which of its inputs have been read."""

    def __init__(self, id: str, data: Mapping[str, Any]):
        self.id, self.kind = id, str(data["class_type"])[:80]
        self.inputs: Mapping[str, Any] = data["inputs"]
        self.unread = [name for name in self.inputs if isinstance(name, str)]

    def read(self, name: str) -> Any:
        if name in self.unread:
            self.unread.remove(name)
        return self.inputs.get(name)

    def label(self, name: str) -> str:
        return f"{self.kind}.{name}"


class Graph:
    """The nodes by their ids; `used` are those that the settings were read from."""

    def __init__(self, data: Mapping[str, Any]):
        self.nodes = {str(id): Node(str(id), node) for id, node in data.items() if is_node(node)}
        self.used: set[str] = set()

    def linked(self, value: Any) -> Node | None:
        """The node that an input is linked to; None where it is a value."""
        is_link = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)
        return self.nodes.get(str(value[0])) if is_link else None

    def use(self, node: Node) -> Node:
        self.used.add(node.id)
        return node

    def value(self, node: Node, name: str) -> Any:
        """An input's value, through nodes that only hold one; None where it cannot be seen."""
        value = node.read(name)
        for _ in range(DEEPEST):
            source = self.linked(value)
            if source is None:
                return None if isinstance(value, list | dict) else value
            holds = next((each for each in VALUE_INPUTS if each in source.inputs), None)
            if holds is None and len(source.inputs) == 1:
                (only,) = source.inputs
                holds = only if self.linked(source.inputs[only]) else None  # a reroute
            if holds is None:
                return None
            value = self.use(source).read(holds)
        return None

    def after(self, nodes: Iterable[Node]) -> set[str]:
        """The ids of all nodes that any of these feeds; each link is followed once."""
        fed: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for value in node.inputs.values():
                if (source := self.linked(value)) is not None:
                    fed.setdefault(source.id, []).append(node.id)
        after: set[str] = set()
        waiting = [node.id for node in nodes]
        while waiting:
            for id in fed.get(waiting.pop(), ()):
                if id not in after:
                    after.add(id)
                    waiting.append(id)
        return after


def is_node(data: Any) -> bool:
    """Whether JSON is a node of a graph."""
    return isinstance(data, dict) and "class_type" in data and isinstance(data.get("inputs"), dict)
