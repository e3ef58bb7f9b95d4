"""Public functions that take or return arrays say of what shape they are."""

import ast
import re
from pathlib import Path

EXPLORER = Path(__file__).resolve().parents[1] / "explorer"
ARRAYS = re.compile(r"ndarray|Tensor|\bArray\b")
SHAPE = re.compile(
    r"shape|of N|N-1|2N|one a |one of |a value each|values?\)|each (step|call|sigma)|\b[nNT] "
    r"(sigmas|timesteps|betas|values|steps)|\b[A-Za-z]+ x [A-Za-z]+|\([^)]*\b[A-Z]\b[^)]*\)"
)


def functions_of(tree: ast.Module):
    """The public functions of a module and of its public classes."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) and node.name[0] != "_" else [node]
        yield from (
            each for each in inside if isinstance(each, ast.FunctionDef) and each.name[0] != "_"
        )


def takes_arrays(function: ast.FunctionDef) -> bool:
    arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    notes = [function.returns, *(argument.annotation for argument in arguments)]
    return any(ARRAYS.search(ast.unparse(note)) for note in notes if note is not None)


def without_shape(source: str) -> list[str]:
    return [
        function.name
        for function in functions_of(ast.parse(source))
        if takes_arrays(function) and not SHAPE.search(ast.get_docstring(function) or "")
    ]


def test_arrays_have_shapes_in_docstrings():
    sources = {path: path.read_text() for path in sorted(EXPLORER.rglob("*.py"))}
    assert sources
    silent = {
        path.relative_to(EXPLORER).as_posix(): names
        for path, source in sources.items()
        if (names := without_shape(source))
    }
    assert silent == {}


def test_a_silent_function_is_seen():
    silent = 'def f(x: np.ndarray) -> float:\n    """Return the mean."""'
    assert without_shape(silent) == ["f"]
    assert without_shape(silent.replace("mean", "mean of N values")) == []
