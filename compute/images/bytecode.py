"""Compiles the files named on stdin, one `path<TAB>name inside` a line: run by `build` in a fresh interpreter.

Fresh, because marshalled code differs by what else the process has interned; unchecked, because an image is read-only
and its modification times say nothing (PEP 552; a checked one would be compiled again at every start).
"""

import py_compile
import sys

if __name__ == "__main__":
    for line in sys.stdin.read().splitlines():
        file, _, inside = line.partition("\t")
        # What does not compile stays source, as it would when imported.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(file, dfile=inside, quiet=2, invalidation_mode=mode)
