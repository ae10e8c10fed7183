"""Runs a policy release: the module that the real OPA compiled, on wasmtime (OPA's WebAssembly ABI 1.x).

The module can reach nothing but its own memory. Steps, memory and stack are bounded; after any trap the store is thrown
away. What goes wrong raises `EngineFailed`; the caller turns that into a no.
"""

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
import wasmtime

#: Steps of one answer: ten times what the largest policy (16 kB) needs, a fraction of a second.
FUEL: Final = 200_000_000
MEMORY: Final = 64 * 1024 * 1024
MAX_INPUT: Final = 256 * 1024
_PAGE: Final = 64 * 1024
#: What wasmtime raises: errors of its own, and host code that refuses inside a call.
_FAULTS: Final = (wasmtime.WasmtimeError, wasmtime.Trap)


class EngineFailed(Exception):
    """The engine gave no answer."""


class _Aborted(Exception):
    """The module called a function of the host that means it cannot go on."""


class WasmEngine:
    """One compiled release. Any thread may call it; each call borrows a store of its own."""

    def __init__(self, module: bytes, data: Mapping[str, Any], *, fuel: int = FUEL, memory: int = MEMORY) -> None:
        """Raises `EngineFailed` when the module is not OPA's, or needs a built-in that the module does not contain."""
        self._fuel, self._memory, self._data = fuel, memory, orjson.dumps(data)
        self._idle: list[_Store] = []
        self._lock = threading.Lock()
        try:
            self._engine, self._module = _compiled(module)
        except _FAULTS as error:
            raise EngineFailed("not a module") from error
        first = self._fresh()
        if first.builtins:
            raise EngineFailed(f"the module needs {sorted(first.builtins)}")
        self.entrypoints = first.entrypoints
        self._idle.append(first)

    def evaluate(self, entrypoints: tuple[str, ...], given: bytes) -> list[Any]:
        """The results of several entrypoints on one input (JSON bytes). Raises `EngineFailed`, also for undefined."""
        if len(given) > MAX_INPUT:
            raise EngineFailed("the input is too large")
        with self._lock:
            store = self._idle.pop() if self._idle else None
        store = store or self._fresh()
        try:
            results = store.evaluate([self.entrypoints[name] for name in entrypoints], given, self._fuel)
        except KeyError as error:
            raise EngineFailed(f"no entrypoint {error}") from None
        except (*_FAULTS, _Aborted, IndexError, ValueError) as error:
            raise EngineFailed(_cause(error)) from error
        with self._lock:
            self._idle.append(store)
        return results

    def _fresh(self) -> "_Store":
        try:
            return _Store(self._engine, self._module, self._data, self._fuel, self._memory)
        except (*_FAULTS, _Aborted, KeyError, TypeError, ValueError) as error:
            raise EngineFailed(_cause(error)) from error


@lru_cache(maxsize=4)
def _compiled(module: bytes) -> tuple[wasmtime.Engine, wasmtime.Module]:
    """Compiling takes longer than a thousand decisions, and the nodes of one process run the same release."""
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    return engine, wasmtime.Module(engine, module)


class _Store:
    """One instance with its memory. Not for two threads at once."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, data: bytes, fuel: int, limit: int) -> None:
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=limit)
        self._store.set_fuel(fuel)
        wanted = next((one.type for one in module.imports if one.name == "memory"), None)
        if not isinstance(wanted, wasmtime.MemoryType):
            raise TypeError("memory")
        self._memory = wasmtime.Memory(self._store, wasmtime.MemoryType(wasmtime.Limits(wanted.limits.min, None)))
        instance = wasmtime.Instance(self._store, module, [self._import(one) for one in module.imports])
        self._exports = instance.exports(self._store)
        self.builtins: dict[str, int] = self._json("builtins")
        self.entrypoints: dict[str, int] = self._json("entrypoints")
        start = self._call("opa_malloc", len(data))
        self._memory.write(self._store, data, start)
        self._data = self._call("opa_json_parse", start, len(data))
        if not self._data:
            raise ValueError("the tables are not JSON")
        self._base = self._call("opa_heap_ptr_get")

    def evaluate(self, entrypoints: list[int], given: bytes, fuel: int) -> list[Any]:
        end = self._base + len(given)
        missing = end + _PAGE - self._memory.data_len(self._store)
        if missing > 0:
            self._memory.grow(self._store, -(-missing // _PAGE))
        self._memory.write(self._store, given, self._base)
        heap = (end + 7) // 8 * 8
        found = []
        for entrypoint in entrypoints:
            self._store.set_fuel(fuel)
            address = self._call("opa_eval", 0, entrypoint, self._data, self._base, len(given), heap, 0)
            found.append(_result(self._text(address)))
        return found

    def _import(self, wanted: wasmtime.ImportType) -> wasmtime.Func | wasmtime.Memory:
        if wanted.name == "memory":
            return self._memory
        if not isinstance(wanted.type, wasmtime.FuncType):
            raise TypeError(wanted.name)
        return wasmtime.Func(self._store, wanted.type, self._host(str(wanted.name)))

    def _host(self, name: str) -> Any:
        """The host's side of one import. Print is dropped, all else ends the call: no built-in may be undefined."""

        def call(*arguments: int) -> None:
            if name == "opa_println":
                return
            raise _Aborted(self._text(arguments[0]).decode("utf-8", "replace") if name == "opa_abort" else name)

        return call

    def _call(self, name: str, *arguments: int) -> int:
        function = self._exports[name]
        if not isinstance(function, wasmtime.Func):
            raise TypeError(name)
        return int(function(self._store, *arguments))

    def _json(self, name: str) -> Any:
        return orjson.loads(self._text(self._call("opa_json_dump", self._call(name))))

    def _text(self, address: int) -> bytes:
        """The C string at `address`."""
        size, step, found = self._memory.data_len(self._store), 4096, b""
        while b"\0" not in found:
            if address >= size:
                raise ValueError("text runs out of the memory")
            found += bytes(self._memory.read(self._store, address, min(address + step, size)))
            address, step = address + step, step * 2
        return found.partition(b"\0")[0]


def _cause(error: Exception) -> str:
    """The last line of what wasmtime says: the backtrace before it names functions without names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _result(text: bytes) -> Any:
    answer = orjson.loads(text)
    if not isinstance(answer, list) or len(answer) != 1 or set(answer[0]) != {"result"}:
        raise ValueError("undefined")
    return answer[0]["result"]
