"""Stacks that a test starts for itself."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.stack import Stack, StackError

RUNNING: list[Stack] = []
"""The stacks of the tests that run now, for the report of one that fails."""


@contextmanager
def stack_of_its_own(root: Path, *, services: bool = True) -> Iterator[Stack]:
    """A new stack on free ports, up; stopped afterwards, with its data deleted and its logs kept.

    It stores nothing compressed, so that its files can be searched.
    """
    stack = Stack.create(root, ports="free", kind="test", compression=False)
    try:
        try:
            stack.up(servers_only=not services)
        except StackError as error:
            pytest.fail(f"the stack does not start: {error}", pytrace=False)
        RUNNING.append(stack)
        yield stack
    finally:
        if stack in RUNNING:
            RUNNING.remove(stack)
        stack.down()
        shutil.rmtree(stack.place.data, ignore_errors=True)
