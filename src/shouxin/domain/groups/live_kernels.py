"""The loops of ``live`` over whole-number ids, compiled. Everything they scratch on is allocated once.

Stakes stand in two pools, by company and by holder, as blocks with room to grow. Clusters have a label of their own
(not a member's id), a head, and their members in a circle, so that a member leaves in one step.
"""

from typing import NamedTuple

import numba as nb
import numpy as np

from shouxin.domain.groups.kernels import TOTAL_MAX, Flags, Ints, Longs, Whole, _passes

_ROOM = 4
TOO_MANY_VOTES, POOL_FULL = -1, -2
"""What ``change`` answers when it wrote nothing."""


class State(NamedTuple):
    """Everything that a change reads and writes. ``free[0]`` counts the free labels behind it."""

    # stakes by company and by holder: block start, rows used, room
    in_start: Longs
    in_count: Ints
    in_room: Ints
    in_holder: Ints
    in_votes: Longs
    out_start: Longs
    out_count: Ints
    out_room: Ints
    out_company: Ints
    out_votes: Longs
    pool_used: Longs  # rows of the two pools in use
    # facts
    known: Longs
    declared: Longs
    total: Longs
    links: Flags
    # the partition
    label: Ints
    head: Ints
    size: Ints
    is_ring: Flags
    following: Ints
    before: Ints
    held: Flags
    sole: Ints
    free: Ints
    # scratch
    stamp: Longs
    stamp_of: Longs
    sums: Longs
    inside: Longs
    queue: Ints
    queued: Flags
    changed: Ints


def build(
    starts: Ints,
    holder: Ints,
    votes: Longs,
    declared: Longs,
    is_linking: Flags,
    top: Ints,
    controller: Ints,
    is_held_in_ring: Flags,
) -> State:
    """The state of a register that has been merged once."""
    n = top.size
    count = np.diff(starts).astype(np.int32)
    room = count + np.int32(1)
    in_start = np.append(0, np.cumsum(room, dtype=np.int64))[:-1]
    company = np.repeat(np.arange(n, dtype=np.int32), count)
    spread = np.arange(holder.size) + np.repeat(in_start - starts[:-1], count)
    in_holder, in_votes = np.full(int(room.sum()) + 1024, -1, np.int32), np.zeros(int(room.sum()) + 1024, np.int64)
    in_holder[spread], in_votes[spread] = holder, votes
    out_count = np.bincount(holder, minlength=n).astype(np.int32)
    out_room = out_count + np.int32(1)
    out_start = np.append(0, np.cumsum(out_room, dtype=np.int64))[:-1]
    order = np.argsort(holder, kind="stable")
    out_begin = np.append(0, np.cumsum(out_count, dtype=np.int64))[:-1]
    out_spread = np.arange(holder.size) + np.repeat(out_start - out_begin, out_count)
    out_size = int(out_room.sum()) + 1024
    out_company, out_votes = np.full(out_size, -1, np.int32), np.zeros(out_size, np.int64)
    out_company[out_spread], out_votes[out_spread] = company[order], votes[order]
    known = np.zeros(n, np.int64)
    np.add.at(known, company, votes)
    order_of_top = np.argsort(top, kind="stable").astype(np.int32)
    sizes = np.bincount(top, minlength=n).astype(np.int32)
    ends = np.cumsum(sizes)
    following = np.empty(n, np.int32)
    following[order_of_top] = np.append(order_of_top[1:], order_of_top[:1])
    last = ends[sizes > 0] - 1
    following[order_of_top[last]] = order_of_top[(ends - sizes)[sizes > 0]]
    before = np.empty(n, np.int32)
    before[following] = np.arange(n, dtype=np.int32)
    unused = np.flatnonzero(sizes == 0).astype(np.int32)
    free = np.zeros(n + 1, np.int32)
    free[0] = unused.size
    free[1 : unused.size + 1] = unused
    held = (top != np.arange(n)) | is_held_in_ring
    is_ring = np.zeros(n, np.bool_)
    is_ring[top[is_held_in_ring]] = True
    state = State(
        in_start, count.copy(), room, in_holder, in_votes,
        out_start, out_count.copy(), out_room, out_company, out_votes,
        np.array([int(room.sum()), int(out_room.sum())], np.int64),
        known, declared.copy(), np.maximum(known, declared), is_linking.copy(),
        top.copy(), np.arange(n, dtype=np.int32), sizes, is_ring, following, before, held,
        np.where(controller >= 0, controller, -1).astype(np.int32), free,
        np.zeros(2, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.empty(n + 1, np.int32), np.zeros(n, np.bool_), np.empty(2 * n + 2, np.int32),
    )  # fmt: skip
    _find_sole(state)
    return state


def with_larger_pools(state: State, holder: int, company: int) -> State:
    """The state with pools twice as large, and with room for a larger block of this company and this holder."""
    rows_in = 2 * (state.in_holder.size + int(state.in_room[company]) + _ROOM)
    rows_out = 2 * (state.out_company.size + int(state.out_room[holder]) + _ROOM)
    return state._replace(
        in_holder=np.resize(state.in_holder, rows_in),
        in_votes=np.resize(state.in_votes, rows_in),
        out_company=np.resize(state.out_company, rows_out),
        out_votes=np.resize(state.out_votes, rows_out),
    )


@nb.njit(cache=True)
def _has_room(s: State, holder: Whole, company: Whole) -> bool:
    """Whether one more stake fits in the blocks, or larger blocks in the pools."""
    in_needed = 2 * s.in_room[company] + _ROOM if s.in_count[company] == s.in_room[company] else 0
    out_needed = 2 * s.out_room[holder] + _ROOM if s.out_count[holder] == s.out_room[holder] else 0
    return bool(s.pool_used[0] + in_needed <= s.in_holder.size and s.pool_used[1] + out_needed <= s.out_company.size)


@nb.njit(cache=True)
def _find_sole(s: State) -> None:
    for company in range(s.label.size):
        s.sole[company] = _sole_of(s, company)


@nb.njit(cache=True)
def _sole_of(s: State, company: Whole) -> Whole:
    """Who alone passes the line of a company, −1 when nobody does."""
    for row in range(s.in_start[company], s.in_start[company] + s.in_count[company]):
        if s.in_holder[row] != company and _passes(s.in_votes[row], s.total[company]):
            return int(s.in_holder[row])
    return -1


@nb.njit(cache=True)
def _write_stake(s: State, holder: Whole, company: Whole, votes: Whole) -> Whole:
    """Put a stake in both pools; gives the votes before."""
    was = np.int64(0)
    start, count = s.in_start[company], s.in_count[company]
    place = -1
    for row in range(start, start + count):
        if s.in_holder[row] == holder:
            if place == -1:
                place = row
            was += s.in_votes[row]
            s.in_votes[row] = 0
    if place != -1:
        s.in_votes[place] = votes
    else:
        if count == s.in_room[company]:
            room = 2 * count + _ROOM
            fresh = s.pool_used[0]
            s.pool_used[0] += room
            for row in range(count):
                s.in_holder[fresh + row], s.in_votes[fresh + row] = s.in_holder[start + row], s.in_votes[start + row]
            s.in_start[company], s.in_room[company], start = fresh, room, fresh
        s.in_holder[start + count], s.in_votes[start + count] = holder, votes
        s.in_count[company] = count + 1
    start, count = s.out_start[holder], s.out_count[holder]
    place = -1
    for row in range(start, start + count):
        if s.out_company[row] == company:
            s.out_votes[row] = votes if place == -1 else 0
            place = row
    if place == -1:
        if count == s.out_room[holder]:
            room = 2 * count + _ROOM
            fresh = s.pool_used[1]
            s.pool_used[1] += room
            for row in range(count):
                s.out_company[fresh + row], s.out_votes[fresh + row] = (
                    s.out_company[start + row],
                    s.out_votes[start + row],
                )
            s.out_start[holder], s.out_room[holder], start = fresh, room, fresh
        s.out_company[start + count], s.out_votes[start + count] = company, votes
        s.out_count[holder] = count + 1
    return was


@nb.njit(cache=True)
def _counts(s: State, holder: Whole) -> bool:
    """Whether a holder's votes count: who never links does so only once somebody who links controls it."""
    return bool(s.links[holder] or s.held[holder])


@nb.njit(cache=True)
def _passing(s: State, company: Whole) -> Whole:
    """The label whose members pass the line of a company together, −1 for none."""
    sole = s.sole[company]
    if sole != -1:
        return int(s.label[sole]) if _counts(s, sole) else -1
    s.stamp[0] += 1
    now = s.stamp[0]
    for row in range(s.in_start[company], s.in_start[company] + s.in_count[company]):
        who = s.in_holder[row]
        if who == company or s.in_votes[row] <= 0 or not _counts(s, who):
            continue
        label = s.label[who]
        if s.stamp_of[label] != now:
            s.stamp_of[label] = now
            s.sums[label] = 0
        s.sums[label] += s.in_votes[row]
        if _passes(s.sums[label], s.total[company]):
            return int(label)
    return -1


@nb.njit(cache=True)
def _push(s: State, at: int, company: Whole) -> int:
    if not s.queued[company]:
        s.queued[company] = True
        s.queue[at] = company
        return at + 1
    return at


@nb.njit(cache=True)
def _dissolve(s: State, company: Whole, moved: int) -> int:
    """Make everybody whose control may rest on a company a cluster of its own; they are put on ``changed``."""
    label = s.label[company]
    first = moved
    s.changed[moved] = company
    s.queued[company] = True
    moved += 1
    done = first
    while done < moved:
        at = s.changed[done]
        done += 1
        for row in range(s.out_start[at], s.out_start[at] + s.out_count[at]):
            held = s.out_company[row]
            if s.queued[held] or not s.held[held] or s.label[held] != label:
                continue
            if s.sole[held] == -1 or s.sole[held] == at:
                s.queued[held] = True
                s.changed[moved] = held
                moved += 1
    for place in range(first, moved):
        at = s.changed[place]
        s.queued[at] = False
        s.held[at] = False
        if s.size[label] == 1:  # the last one keeps the label
            s.head[label] = at
            s.is_ring[label] = False
            continue
        s.following[s.before[at]] = s.following[at]
        s.before[s.following[at]] = s.before[at]
        s.following[at] = s.before[at] = at
        s.size[label] -= 1
        own = s.free[s.free[0]]
        s.free[0] -= 1
        s.label[at], s.head[own], s.size[own], s.is_ring[own] = own, at, 1, False
    return moved


@nb.njit(cache=True)
def _join(s: State, winner: Whole, loser: Whole) -> tuple[Whole, int]:
    """Make two clusters one under the winner's head, renaming the smaller: where its members begin in the circle, and
    how many they are.
    """
    head, is_ring = s.head[winner], s.is_ring[winner]
    stays, goes = (winner, loser) if s.size[winner] >= s.size[loser] else (loser, winner)
    one, first, count = s.head[stays], s.head[goes], s.size[goes]
    at = first
    for _ in range(count):
        s.label[at] = stays
        at = s.following[at]
    end_one, end_two = s.before[one], s.before[first]
    s.following[end_one], s.before[first] = first, end_one
    s.following[end_two], s.before[one] = one, end_two
    s.size[stays] += count
    s.head[stays], s.is_ring[stays] = head, is_ring
    s.size[goes] = 0
    s.free[0] += 1
    s.free[s.free[0]] = goes
    return first, count


@nb.njit(cache=True)
def _push_open(s: State, waiting: int, holder: Whole) -> int:
    """Look again at the companies of a holder that nobody controls yet."""
    for row in range(s.out_start[holder], s.out_start[holder] + s.out_count[holder]):
        if not s.held[s.out_company[row]]:
            waiting = _push(s, waiting, s.out_company[row])
    return waiting


@nb.njit(cache=True)
def change(s: State, holder: Whole, company: Whole, votes: Whole) -> int:
    """Write one stake and mend the partition; gives how many entities stand in ``changed``.

    An entity that left one cluster and joined another stands there twice. TOO_MANY_VOTES or POOL_FULL: nothing is done.
    """
    if not _has_room(s, holder, company):
        return POOL_FULL
    was = np.int64(0)
    for row in range(s.in_start[company], s.in_start[company] + s.in_count[company]):
        if s.in_holder[row] == holder:
            was += s.in_votes[row]
    if votes > TOTAL_MAX - (s.known[company] - was):
        return TOO_MANY_VOTES
    _write_stake(s, holder, company, votes)
    total_before = s.total[company]
    s.known[company] += votes - was
    s.total[company] = max(s.known[company], s.declared[company])
    sole_before = s.sole[company]
    s.sole[company] = _sole_of(s, company)
    moved = 0
    if s.held[company]:
        if sole_before != -1 and sole_before == s.sole[company]:
            return 0
        moved = _dissolve(s, company, 0)
    elif s.sole[company] == -1 and s.total[company] >= total_before and (votes <= was or s.size[s.label[holder]] == 1):
        return 0  # nobody's part of it grew but the holder's, who does not pass alone
    waiting = _push(s, 0, company)
    for place in range(moved):
        waiting = _push(s, waiting, s.changed[place])
    while waiting > 0:
        waiting -= 1
        at = s.queue[waiting]
        s.queued[at] = False
        winner = -1 if s.held[at] else _passing(s, at)
        if winner == -1:
            continue
        s.held[at] = True
        if winner == s.label[at]:
            s.is_ring[winner] = True
        else:
            s.changed[moved] = at
            moved += 1
            # What both sides hold is held by the renamed one; nothing else can pass a line because of this.
            member, count = _join(s, winner, s.label[at])
            for _ in range(count):
                waiting = _push_open(s, waiting, member)
                member = s.following[member]
        if not s.links[at]:
            waiting = _push_open(s, waiting, at)
    return moved


@nb.njit(cache=True)
def walk(s: State, members: Ints, agreement_starts: Ints, agreement_company: Ints) -> Ints:
    """What some members control together, agreements included, in the order in which it is found."""
    s.stamp[0] += 1
    now = s.stamp[0]
    end = 0
    for member in members:
        s.inside[member] = now
        s.queue[end] = member
        end += 1
    done = 0
    while done < end:
        at = s.queue[done]
        done += 1
        for row in range(agreement_starts[at], agreement_starts[at + 1]):
            company = agreement_company[row]
            if s.inside[company] != now:
                s.inside[company] = now
                s.queue[end] = company
                end += 1
        for row in range(s.out_start[at], s.out_start[at] + s.out_count[at]):
            company = s.out_company[row]
            if s.inside[company] == now:
                continue
            if s.stamp_of[company] != now:
                s.stamp_of[company] = now
                s.sums[company] = 0
            s.sums[company] += s.out_votes[row]
            if _passes(s.sums[company], s.total[company]):
                s.inside[company] = now
                s.queue[end] = company
                end += 1
    return s.queue[members.size : end].copy()


@nb.njit(cache=True)
def members_of(s: State, entity: Whole) -> Ints:
    """Everybody in the cluster of an entity."""
    members = np.empty(s.size[s.label[entity]], np.int32)
    at = entity
    for place in range(members.size):
        members[place] = at
        at = s.following[at]
    return members


@nb.njit(cache=True)
def holders_of(s: State, company: Whole) -> Ints:
    """Everybody with a row in a company."""
    return s.in_holder[s.in_start[company] : s.in_start[company] + s.in_count[company]].copy()
