"""The shape of every file of the project, and that each checker bites."""

from __future__ import annotations

import pytest

from tests.layout import shape
from tests.layout.tree import product, source, sources, tracked


def test_files_and_functions_are_short() -> None:
    assert [finding for item in sources() for finding in shape.too_long(item)] == []


def test_a_long_file_and_a_long_function_are_found() -> None:
    fits = "def f():\n" + "    x = 1\n" * 49
    assert shape.too_long(source(fits)) == []
    assert "f has 51 lines" in shape.too_long(source(fits + "    x = 1\n"))[0]
    assert shape.too_long(source("x = 1\n" * 500)) == []
    assert "501 lines" in shape.too_long(source("x = 1\n" * 501))[0]
    assert "g has 52 lines" in shape.too_long(source("class A:\n    async def g(self):\n" + "        x = 1\n" * 51))[0]


def test_no_name_says_nothing() -> None:
    assert [finding for path in tracked() if path.endswith((".py", ".sh", ".ts")) for finding in shape.vague_name(path)] == []


@pytest.mark.parametrize(
    "path", ["src/gurney/net/utils.py", "src/gurney/common/x.py", "tests/live/dicom_helpers.py", "src/gurney/session_manager.py"]
)
def test_a_name_that_says_nothing_is_found(path: str) -> None:
    assert shape.vague_name(path)


def test_everything_public_is_explained() -> None:
    documented = shape.documented_methods(product())
    assert [finding for item in product() for finding in shape.without_docstring(item, documented)] == []


def test_every_module_says_what_it_is() -> None:
    assert [item.path for item in sources() if item.text.strip() and not shape.ast.get_docstring(item.tree)] == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("x = 1\n", "the module"),
        ('"""M."""\ndef f(): ...\n', "f has no"),
        ('"""M."""\nclass A: ...\n', "A has no"),
        ('"""M."""\nclass A:\n    """A."""\n    def f(self): ...\n', "A.f has no"),
        ('"""M."""\nclass A:\n    """A."""\n    async def f(self): ...\n', "A.f has no"),
    ],
)
def test_a_missing_docstring_is_found(text: str, missing: str) -> None:
    assert missing in shape.without_docstring(source(text), {})[0]


def test_an_override_is_explained_by_its_base() -> None:
    base = source('"""M."""\nclass A:\n    """A."""\n    def f(self):\n        """F."""\n')
    middle = source('"""M."""\nclass B(A):\n    """B."""\n')
    last = source('"""M."""\nclass C(other.B[int]):\n    """C."""\n    def f(self): ...\n    def g(self): ...\n')
    documented = shape.documented_methods([base, middle, last])
    assert shape.without_docstring(last, documented) == ["src/gurney/wire/example.py:5: C.g has no docstring"]
