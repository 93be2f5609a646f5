"""Asana's field selection: what `opt_fields` asks for is compiled once into a function that writes a record.

Without `opt_fields` a listing gives the compact record and a single thing its full record. With it, the answer holds
`gid` and what was asked for, and no more. A nested record that is named alone comes as `gid` and `resource_type`;
with a dot (`user.name`) it comes as `gid` and what stands after the dot. Unknown fields are passed over in silence.
"""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from sandbox.asana.model import Person

T = TypeVar("T")
Record = dict[str, object]
Writer = Callable[[T, Person | None], Record]
Tree = dict[str, "Tree"]


class Shape(Generic[T]):
    """What can be asked of one kind of resource; `plain` fields have a value, `nested` ones a resource or a list."""

    def __init__(
        self,
        resource_type: str,
        gid: Callable[[T], str],
        *,
        compact: str,
        full: str = "",
        plain: dict[str, Callable[[T], object]],
    ) -> None:
        """`compact` and `full` are written like `opt_fields`; `resource_type` is a part of both by itself."""
        self.gid = gid
        self.plain: dict[str, Callable[[T], object]] = {"resource_type": lambda _: resource_type, **plain}
        # A nested resource is of any kind, and what fetches it knows its kind: the types end here.
        self.nested: dict[str, tuple[Callable[[T, Person | None], Any], Shape[Any]]] = {}
        self._defaults = {False: f"resource_type,{compact}", True: f"resource_type,{full or compact}"}
        self._writers: dict[tuple[str, bool], Writer[T]] = {}

    def nest(self, name: str, fetch: Callable[[T, Person | None], object], shape: "Shape[Any]") -> None:
        """Name a nested resource (or list of them, or None); `fetch` is told who is asking."""
        self.nested[name] = (fetch, shape)

    def writer(self, opt_fields: str | None, *, full: bool = False) -> Writer[T]:
        """A function that writes one resource as this selection wants it. Compiled once for each selection."""
        key = (opt_fields or "", full)
        found = self._writers.get(key)
        if found is None:
            found = self._compile(parse(opt_fields or self._defaults[full]))
            if len(self._writers) < 1000:  # a fuzzer must not fill the memory
                self._writers[key] = found
        return found

    def _compile(self, tree: Tree) -> Writer[T]:
        gid = self.gid
        plain = [(name, self.plain[name]) for name in tree if name in self.plain]
        nested = [
            (name, fetch, shape._compile(tree[name] or {"resource_type": {}}))  # noqa: SLF001 - the same class
            for name, (fetch, shape) in self.nested.items()
            if name in tree
        ]

        def write(resource: T, asker: Person | None) -> Record:
            record: Record = {"gid": gid(resource)}
            for name, value in plain:
                record[name] = value(resource)
            for name, fetch, inner in nested:
                found = fetch(resource, asker)
                if isinstance(found, list):
                    record[name] = [inner(one, asker) for one in found]
                else:
                    record[name] = None if found is None else inner(found, asker)
            for name in [name for name, value in record.items() if value is ABSENT]:
                del record[name]
            return record

        return write


ABSENT = object()
"""The value of a field that is left out of the answer altogether, because the document allows no null there."""


def parse(opt_fields: str) -> Tree:
    """`user.name,is_active` as a tree: `{"user": {"name": {}}, "is_active": {}}`. A leading `this.` is dropped."""
    tree: Tree = {}
    for path in _paths(opt_fields):
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return tree


def _paths(opt_fields: str) -> Iterable[list[str]]:
    for asked in opt_fields.split(","):
        path = [step for step in asked.strip().split(".") if step]
        if path and path[0] == "this":
            path = path[1:]
        if path:
            yield path
