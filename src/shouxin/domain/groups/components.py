"""Strongly connected components of a graph of ids: rings as one, everything else alone."""

from collections.abc import Callable, Iterable


def components(starts: Iterable[str], following: Callable[[str], Iterable[str]]) -> list[list[str]]:
    """The components reachable from some nodes, each after all that follow it.

    Tarjan's walk without recursion: a component is left only after everything behind it.
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    left: list[list[str]] = []
    for start in starts:
        way = [] if start in number else [(start, iter(following(start)))]
        while way:
            node, onwards = way[-1]
            if node not in number:
                number[node] = lowest[node] = len(number)
                open_nodes.append(node)
                is_open.add(node)
            for other in onwards:
                if other not in number:
                    way.append((other, iter(following(other))))
                    break
                if other in is_open:
                    lowest[node] = min(lowest[node], number[other])
            else:
                way.pop()
                if way:
                    lowest[way[-1][0]] = min(lowest[way[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    ring: list[str] = []
                    while not ring or ring[-1] != node:
                        ring.append(open_nodes.pop())
                        is_open.discard(ring[-1])
                    left.append(ring)
    return left
