"""The helper process of a big import; a module of its own, so that what it sends is not called ``__main__``."""

import contextlib
import sys

from shouxin.intake.customer_lines import serve

if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
