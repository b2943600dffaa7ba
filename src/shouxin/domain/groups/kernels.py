"""The group engine's loops over whole-number ids, compiled. ``arrays`` is their only caller and says what they mean.

Names: ``n`` entities 0 … n-1; holdings in company order, so that ``starts[y] … starts[y + 1]`` are the rows of company
y. −1 is nobody. Everything is exact: votes and totals are int64 and the line is tested as votes > total − votes, which
cannot overflow.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]
Whole = int | np.integer[Any]

TOTAL_MAX = 2**62
"""A company with more votes than this is refused."""
NOBODY, OTHER, JOINT = -1, -2, -3
"""Who controls a company: nobody, somebody who never links, several holdings together; else the holder's id."""


@nb.njit(cache=True)
def _passes(votes: Whole, total: Whole) -> bool:
    return bool(votes > total - votes)


@nb.njit(cache=True)
def is_sorted(keys: Ints) -> bool:
    for row in range(1, keys.size):  # noqa: SIM110 (compiled code has no generators)
        if keys[row - 1] > keys[row]:
            return False
    return True


@nb.njit(cache=True)
def starts_of(keys: Ints, n: int) -> Ints:
    """Where the rows of each key begin once they are in key order."""
    starts = np.zeros(n + 1, np.int32)
    for key in keys:
        starts[key + 1] += 1
    for at in range(n):
        starts[at + 1] += starts[at]
    return starts


@nb.njit(cache=True)
def order_by(keys: Ints, starts: Ints) -> Ints:
    """Row numbers in key order, rows of one key in their old order."""
    place = starts[:-1].copy()
    order = np.empty(keys.size, np.int32)
    for row in range(keys.size):
        key = keys[row]
        order[place[key]] = row
        place[key] += 1
    return order


@nb.njit(cache=True)
def has_doubles(starts: Ints, holder: Ints, n: int) -> bool:
    """Whether anybody has two rows in one company."""
    seen_in = np.full(n, -1, np.int32)
    for company in range(n):
        begin, end = starts[company], starts[company + 1]
        if end - begin <= 16:
            for row in range(begin + 1, end):
                for earlier in range(begin, row):
                    if holder[earlier] == holder[row]:
                        return True
            continue
        for row in range(begin, end):
            if seen_in[holder[row]] == company:
                return True
            seen_in[holder[row]] = company
    return False


@nb.njit(cache=True)
def join_doubles(starts: Ints, holder: Ints, votes: Longs, n: int) -> None:
    """Add up the rows of one holder in one company in its first row; the others keep 0 votes."""
    seen_in = np.full(n, -1, np.int32)
    first_row = np.empty(n, np.int32)
    for company in range(n):
        begin, end = starts[company], starts[company + 1]
        if end - begin <= 16:  # a few rows are compared in place, without a jump through memory for each
            for row in range(begin + 1, end):
                for earlier in range(begin, row):
                    if holder[earlier] == holder[row]:
                        votes[earlier] += votes[row]
                        votes[row] = 0
                        break
            continue
        for row in range(begin, end):
            who = holder[row]
            if seen_in[who] == company:
                votes[first_row[who]] += votes[row]
                votes[row] = 0
            else:
                seen_in[who] = company
                first_row[who] = row


@nb.njit(cache=True)
def majorities(
    starts: Ints, holder: Ints, votes: Longs, declared: Longs, is_linking: Flags, n: int
) -> tuple[Longs, Ints]:
    """Totals (D2), and who alone holds more than half of each company (own shares never count, D3)."""
    total = np.zeros(n, np.int64)
    controller = np.full(n, NOBODY, np.int32)
    for company in range(n):
        begin, end = starts[company], starts[company + 1]
        if begin == end:
            continue
        known = np.int64(0)
        for row in range(begin, end):
            if votes[row] > TOTAL_MAX - known:
                known = np.int64(TOTAL_MAX + 1)
                break
            known += votes[row]
        total[company] = max(known, declared[company])
        for row in range(begin, end):
            if holder[row] != company and _passes(votes[row], total[company]):
                controller[company] = holder[row] if is_linking[holder[row]] else OTHER
                break
    return total, controller


@nb.njit(cache=True)
def tops_by_majority(controller: Ints) -> tuple[Ints, Flags, Flags]:
    """The top of each entity along sole majorities, which tops have anybody below them, and who is in a ring.

    Every ring is opened at its smallest id: that one is the top, and ``controller`` has nobody for it any more (D7).
    """
    n = controller.size
    unseen, on_the_way = -1, -2
    top = np.full(n, unseen, np.int32)
    has_cluster, in_ring = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for start in range(n):
        at = start
        while top[at] == unseen and controller[at] >= 0:
            top[at] = on_the_way
            at = controller[at]
        if top[at] == on_the_way:
            smallest, walk = at, controller[at]
            while walk != at:
                smallest = min(smallest, walk)
                walk = controller[walk]
            while top[walk] == on_the_way:
                top[walk] = smallest
                in_ring[walk] = True
                walk = controller[walk]
            controller[smallest] = NOBODY
        elif top[at] == unseen:
            top[at] = at
        found, walk = top[at], start
        while top[walk] == on_the_way:
            top[walk] = found
            walk = controller[walk]
        if start != found:
            has_cluster[found] = True
    return top, has_cluster, in_ring


@nb.njit(cache=True)
def open_stakes(
    starts: Ints,
    holder: Ints,
    votes: Longs,
    total: Longs,
    controller: Ints,
    top: Ints,
    has_cluster: Flags,
    is_linking: Flags,
) -> tuple[Ints, Ints, Longs]:
    """Stakes in companies without a sole majority, of holders that are or may come into a cluster, where these could
    pass the line together: all that can still decide something.
    """
    n = controller.size
    may_join = np.zeros(n, np.bool_)
    for entity in range(n):
        is_open = controller[entity] == NOBODY and starts[entity + 1] > starts[entity]
        may_join[entity] = is_linking[entity] and (is_open or has_cluster[top[entity]])
    rows_holder, rows_company = np.empty(holder.size, np.int32), np.empty(holder.size, np.int32)
    rows_votes = np.empty(holder.size, np.int64)
    count = 0
    for company in range(n):
        begin, end = starts[company], starts[company + 1]
        if controller[company] != NOBODY or end - begin < 2:
            continue
        first, together = count, np.int64(0)
        for row in range(begin, end):
            who = holder[row]
            if may_join[who] and votes[row] > 0 and who != company:
                rows_holder[count], rows_company[count], rows_votes[count] = who, company, votes[row]
                together += votes[row]
                count += 1
        if not _passes(together, total[company]):
            count = first
    return rows_holder[:count], rows_company[:count], rows_votes[:count]


@nb.njit(cache=True)
def _find(cluster: Ints, entity: Whole) -> Whole:
    root = entity
    while cluster[root] != root:
        root = cluster[root]
    while cluster[entity] != root:
        following = cluster[entity]
        cluster[entity] = root
        entity = following
    return root


@nb.njit(cache=True)
def _slot(keys: Longs, key: Whole) -> Whole:
    mask = keys.size - 1
    at = (key * np.int64(-7046029254386353131) >> np.int64(20)) & mask
    while keys[at] != -1 and keys[at] != key:
        at = (at + 1) & mask
    return at


@nb.njit(cache=True)
def _grown(keys: Longs, sums: Longs) -> tuple[Longs, Longs]:
    more_keys = np.full(keys.size * 2, -1, np.int64)
    more_sums = np.zeros(keys.size * 2, np.int64)
    for at in range(keys.size):
        if keys[at] != -1:
            slot = _slot(more_keys, keys[at])
            more_keys[slot] = keys[at]
            more_sums[slot] = sums[at]
    return more_keys, more_sums


@nb.njit(cache=True)
def _longer(array: NDArray[Any]) -> NDArray[Any]:
    longer = np.empty(max(16, array.size * 2), array.dtype)
    longer[: array.size] = array
    return longer


@nb.njit(cache=True)
def sufficient_prefix(who: Ints, votes: Longs, count: int, total: Whole) -> int:
    """Put contributions in order, largest first (then by id), and say how many pass the line."""
    order = np.argsort(-votes[:count], kind="mergesort")
    sorted_who, sorted_votes = who[:count][order], votes[:count][order]
    summed = np.int64(0)
    needed = count
    for at in range(count):
        summed += sorted_votes[at]
        if _passes(summed, total):
            needed = at + 1
            break
    who[:count] = sorted_who
    votes[:count] = sorted_votes
    return needed


@nb.njit(cache=True)
def _add_stakes(
    first: Whole,
    label: Whole,
    following: Ints,
    stake_starts: Ints,
    stake_company: Ints,
    stake_votes: Longs,
    total: Longs,
    controller: Ints,
    keys: Longs,
    sums: Longs,
    used: int,
    waiting: Longs,
    waits: int,
) -> tuple[Longs, Longs, int, Longs, int]:
    """Add the open stakes of a circle of members to the sums of a label; what passes the line waits to be joined."""
    at = first
    while True:
        for place in range(stake_starts[at], stake_starts[at + 1]):
            held = stake_company[place]
            if controller[held] != NOBODY:
                continue
            if used * 2 >= keys.size:
                keys, sums = _grown(keys, sums)
            key = (np.int64(label) << 32) | np.int64(held)
            slot = _slot(keys, key)
            if keys[slot] == -1:
                keys[slot] = key
                used += 1
            sums[slot] += stake_votes[place]
            if _passes(sums[slot], total[held]):
                if waits == waiting.size:
                    waiting = _longer(waiting)
                waiting[waits] = key
                waits += 1
        at = following[at]
        if at == first:
            return keys, sums, used, waiting, waits


@nb.njit(cache=True)
def passing_clusters(holder: Ints, company: Ints, votes: Longs, total: Longs, top: Ints) -> Longs:
    """Clusters whose open stakes, given in company order, pass the line of a company: (label, company) as one key."""
    summed_for = np.zeros(top.size, np.int32)  # the company that ``sums`` is about, plus one: fresh memory is zero
    sums = np.zeros(top.size, np.int64)
    waiting, waits = np.empty(64, np.int64), 0
    for row in range(holder.size):
        label, held = top[holder[row]], company[row]
        if summed_for[label] != held + 1:
            summed_for[label] = held + 1
            sums[label] = 0
        was_below = not _passes(sums[label], total[held])
        sums[label] += votes[row]
        if was_below and _passes(sums[label], total[held]):
            if waits == waiting.size:
                waiting = _longer(waiting)
            waiting[waits] = (np.int64(label) << 32) | np.int64(held)
            waits += 1
    return waiting[:waits]


@nb.njit(cache=True)
def merge_jointly(
    starts: Ints,
    holder: Ints,
    votes: Longs,
    total: Longs,
    controller: Ints,
    top: Ints,
    is_linking: Flags,
    stake_starts: Ints,
    stake_company: Ints,
    stake_votes: Longs,
    passing: Longs,
) -> tuple[Ints, Ints, Ints, Longs, Flags]:
    """Join clusters whose votes together pass the line of an open company, until nothing more joins.

    ``passing`` are those that do so at the beginning (``passing_clusters``); without any there is nothing to do.

    Each joining renames the side with fewer open stakes, so a stake is added O(log E) times. ``controller`` and ``top``
    change in place. Gives, in the order of joining: companies, where their contributions start, holders, votes; and the
    companies that their own cluster holds (D7 by several holdings).
    """
    n = controller.size
    waiting, waits = passing.copy(), passing.size
    cluster = top.copy()
    head = np.arange(n).astype(np.int32)  # the top of the cluster with this label
    following = head.copy()  # the members of a cluster that have stakes, in a circle
    load = np.zeros(n, np.int64)
    is_summed = np.zeros(n, np.bool_)  # only clusters that join something are ever added up
    is_touched = np.zeros(n, np.bool_)
    for entity in range(n):
        own = stake_starts[entity + 1] - stake_starts[entity]
        if own > 0:
            label = cluster[entity]
            load[label] += own
            if label != entity:
                following[entity] = following[label]
                following[label] = entity
    keys, sums, used = np.full(1024, -1, np.int64), np.zeros(1024, np.int64), 0
    joined, joins = np.empty(64, np.int32), 0
    via_starts = np.zeros(65, np.int32)
    via_holder, via_votes, vias = np.empty(256, np.int32), np.empty(256, np.int64), 0
    is_self_held = np.zeros(n, np.bool_)
    who, brought = np.empty(64, np.int32), np.empty(64, np.int64)
    while waits > 0:
        waits -= 1
        company = np.int32(waiting[waits] & 0xFFFFFFFF)
        winner, loser = _find(cluster, np.int32(waiting[waits] >> 32)), _find(cluster, company)
        if controller[company] != NOBODY:
            continue
        if winner == loser:
            is_self_held[company] = True
            continue
        count = 0
        for row in range(starts[company], starts[company + 1]):
            other = holder[row]
            if votes[row] > 0 and other != company and is_linking[other] and _find(cluster, other) == winner:
                if count == who.size:
                    who, brought = _longer(who), _longer(brought)
                who[count] = other
                brought[count] = votes[row]
                count += 1
        needed = sufficient_prefix(who, brought, count, total[company])
        if joins + 1 == via_starts.size:
            via_starts = _longer(via_starts)
        if joins == joined.size:
            joined = _longer(joined)
        while vias + needed > via_holder.size:
            via_holder, via_votes = _longer(via_holder), _longer(via_votes)
        via_holder[vias : vias + needed] = who[:needed]
        via_votes[vias : vias + needed] = brought[:needed]
        vias += needed
        joined[joins] = company
        joins += 1
        via_starts[joins] = vias
        controller[company] = JOINT
        stays, goes = (winner, loser) if load[winner] >= load[loser] else (loser, winner)
        cluster[goes] = stays
        load[stays] += load[goes]
        head[stays] = head[winner]
        for side in (stays, goes):
            if side == goes or not is_summed[stays]:
                keys, sums, used, waiting, waits = _add_stakes(
                    side,
                    stays,
                    following,
                    stake_starts,
                    stake_company,
                    stake_votes,
                    total,
                    controller,
                    keys,
                    sums,
                    used,
                    waiting,
                    waits,
                )
        is_summed[stays] = is_touched[stays] = is_touched[goes] = True
        following[stays], following[goes] = following[goes], following[stays]
    if joins > 0:
        for entity in range(n):
            if is_touched[cluster[entity]]:
                top[entity] = head[_find(cluster, entity)]
    return joined[:joins], via_starts[: joins + 1], via_holder[:vias], via_votes[:vias], is_self_held


@nb.njit(cache=True)
def order_of_proof(controller: Ints, joined: Ints, via_starts: Ints, via_holder: Ints) -> tuple[Ints, int]:
    """Controlled companies in an order in which every company comes after all that its proof rests on."""
    n = controller.size
    needs = np.zeros(n, np.int32)
    first = np.full(n, -1, np.int32)  # linked lists: the companies that rest on an entity
    links = 0
    for company in range(n):
        links += controller[company] >= 0
    links += via_holder.size
    link_company, link_next = np.empty(links, np.int32), np.empty(links, np.int32)
    at = 0
    for company in range(n):
        who = controller[company]
        if who >= 0 and controller[who] != NOBODY and controller[who] != OTHER:
            needs[company] = 1
            link_company[at], link_next[at] = company, first[who]
            first[who] = at
            at += 1
    for place in range(joined.size):
        company = joined[place]
        for row in range(via_starts[place], via_starts[place + 1]):
            who = via_holder[row]
            if controller[who] != NOBODY and controller[who] != OTHER:
                needs[company] += 1
                link_company[at], link_next[at] = company, first[who]
                first[who] = at
                at += 1
    order = np.empty(n, np.int32)
    count = 0
    for company in range(n):
        if (controller[company] >= 0 or controller[company] == JOINT) and needs[company] == 0:
            order[count] = company
            count += 1
    done = 0
    while done < count:
        link = first[order[done]]
        done += 1
        while link != -1:
            company = link_company[link]
            needs[company] -= 1
            if needs[company] == 0:
                order[count] = company
                count += 1
            link = link_next[link]
    return order, count


@nb.njit(cache=True)
def contributions(
    companies: Ints,
    controller: Ints,
    joined: Ints,
    joint_starts: Ints,
    joint_holder: Ints,
    joint_votes: Longs,
    starts: Ints,
    holder: Ints,
    votes: Longs,
) -> tuple[Longs, Ints, Longs]:
    """What each of some companies' control rests on: where it starts, holders, votes."""
    place_of = np.full(controller.size, -1, np.int32)
    for place in range(joined.size):
        place_of[joined[place]] = place
    via_starts = np.zeros(companies.size + 1, np.int64)
    for at in range(companies.size):
        place = place_of[companies[at]]
        count = joint_starts[place + 1] - joint_starts[place] if place != -1 else 1
        via_starts[at + 1] = via_starts[at] + count
    via_holder = np.empty(via_starts[-1], np.int32)
    via_votes = np.empty(via_starts[-1], np.int64)
    for at in range(companies.size):
        company, out = companies[at], via_starts[at]
        place = place_of[company]
        if place != -1:
            for row in range(joint_starts[place], joint_starts[place + 1]):
                via_holder[out], via_votes[out] = joint_holder[row], joint_votes[row]
                out += 1
            continue
        for row in range(starts[company], starts[company + 1]):
            if holder[row] == controller[company] and votes[row] > 0:
                via_holder[out], via_votes[out] = holder[row], votes[row]
                break
    return via_starts, via_holder, via_votes


# --- units of several holders, and agreements ---------------------------------------------------------------------


@nb.njit(cache=True)
def deciding_rows(
    starts: Ints, holder: Ints, votes: Longs, total: Longs, has_majority: Flags, is_source: Flags
) -> Ints:
    """Rows of chosen holders that are a majority, or in a company where nobody has one."""
    rows, count = np.empty(holder.size, np.int32), 0
    for company in range(total.size):
        for row in range(starts[company], starts[company + 1]):
            decides = _passes(votes[row], total[company]) if has_majority[company] else votes[row] > 0
            if decides and holder[row] != company and is_source[holder[row]]:
                rows[count] = row
                count += 1
    return rows[:count]


@nb.njit(cache=True)
def closures(
    unit_starts: Ints,
    unit_member: Ints,
    starts: Ints,
    holder: Ints,
    votes: Longs,
    out_starts: Ints,
    out_company: Ints,
    out_votes: Longs,
    total: Longs,
    agreement_starts: Ints,
    agreement_company: Ints,
) -> tuple[Longs, Ints, Longs, Ints, Longs]:
    """What each unit controls, by the worklist of ``control.controlled_by``, agreements included.

    Gives for all units one after the other: where the companies of a unit start, companies in the order of their proof,
    where the contributions to a company start, holders, votes (−1: by agreement).
    """
    n = total.size
    inside = np.full(n, -1, np.int32)
    summed_for = np.full(n, -1, np.int32)
    sums = np.zeros(n, np.int64)
    company_starts = np.zeros(unit_starts.size, np.int64)
    companies, found = np.empty(1024, np.int32), 0
    via_starts = np.zeros(1025, np.int64)
    via_holder, via_votes, vias = np.empty(1024, np.int32), np.empty(1024, np.int64), 0
    who, brought = np.empty(64, np.int32), np.empty(64, np.int64)
    for unit in range(unit_starts.size - 1):
        begin, end = unit_starts[unit], unit_starts[unit + 1]
        base = found
        for place in range(begin, end):
            inside[unit_member[place]] = unit
        done = begin
        while done < end or base + (done - end) < found:
            at = unit_member[done] if done < end else companies[base + (done - end)]
            done += 1
            by_agreement = agreement_starts[at + 1] - agreement_starts[at]
            for place in range(by_agreement + out_starts[at + 1] - out_starts[at]):
                if place < by_agreement:
                    company = agreement_company[agreement_starts[at] + place]
                    if inside[company] == unit or company == at:
                        continue
                    who[0], brought[0], needed = at, -1, 1
                else:
                    row = out_starts[at] + place - by_agreement
                    company = out_company[row]
                    if inside[company] == unit:
                        continue
                    if summed_for[company] != unit:
                        summed_for[company] = unit
                        sums[company] = 0
                    sums[company] += out_votes[row]
                    if not _passes(sums[company], total[company]):
                        continue
                    count = 0
                    for other_row in range(starts[company], starts[company + 1]):
                        other = holder[other_row]
                        if inside[other] == unit and other != company and votes[other_row] > 0:
                            if count == who.size:
                                who, brought = _longer(who), _longer(brought)
                            who[count] = other
                            brought[count] = votes[other_row]
                            count += 1
                    needed = sufficient_prefix(who, brought, count, total[company])
                inside[company] = unit
                if found == companies.size:
                    companies = _longer(companies)
                if found + 1 == via_starts.size:
                    via_starts = _longer(via_starts)
                while vias + needed > via_holder.size:
                    via_holder, via_votes = _longer(via_holder), _longer(via_votes)
                companies[found] = company
                via_holder[vias : vias + needed] = who[:needed]
                via_votes[vias : vias + needed] = brought[:needed]
                vias += needed
                found += 1
                via_starts[found] = vias
        company_starts[unit + 1] = found
    return company_starts, companies[:found], via_starts[: found + 1], via_holder[:vias], via_votes[:vias]


@nb.njit(cache=True)
def families(
    anchors: Ints,
    up_starts: Ints,
    up: Ints,
    down_starts: Ints,
    down: Ints,
    spouse_starts: Ints,
    spouse: Ints,
    is_dead: Flags,
    lineal: int,
    collateral: int,
    with_spouse: bool,
) -> tuple[Ints, Ints]:
    """The living near relatives of each anchor, the anchor first: ``kinship.FamilyTree.near_relatives`` on arrays.

    Collateral relatives are everybody reached by 1 … c−1 steps up and then 1 … c−1 down who is no lineal relative.
    """
    n = is_dead.size
    mark = np.full(n, -1, np.int32)
    member_starts = np.zeros(anchors.size + 1, np.int32)
    members, found = np.empty(1024, np.int32), 0
    reach = np.empty(64, np.int32)
    for place in range(anchors.size):
        anchor = anchors[place]
        if found == members.size:
            members = _longer(members)
        members[found] = anchor
        found += 1
        mark[anchor] = place
        for ups in range(max(lineal, collateral)):
            # Everybody exactly ``ups`` steps up by some way, then ``downs`` steps down; short levels, so plain loops.
            reach[0] = anchor
            begin, end = 0, 1
            for _ in range(ups):
                later = end
                for at in range(begin, end):
                    for link in range(up_starts[reach[at]], up_starts[reach[at] + 1]):
                        while later >= reach.size:
                            reach = _longer(reach)
                        reach[later] = up[link]
                        later += 1
                begin, end = end, later
            downs_most = lineal - 1 if ups == 0 else collateral - 1 if ups < collateral else 0
            for downs in range(downs_most + 1):
                if downs > 0:
                    later = end
                    for at in range(begin, end):
                        for link in range(down_starts[reach[at]], down_starts[reach[at] + 1]):
                            while later >= reach.size:
                                reach = _longer(reach)
                            reach[later] = down[link]
                            later += 1
                    begin, end = end, later
                is_near = (downs == 0 and ups < lineal) or (ups == 0) or (downs > 0 and ups < collateral)
                if not is_near:
                    continue
                for at in range(begin, end):
                    person = reach[at]
                    if mark[person] != place:
                        mark[person] = place
                        if not is_dead[person]:
                            if found == members.size:
                                members = _longer(members)
                            members[found] = person
                            found += 1
        if with_spouse:
            for link in range(spouse_starts[anchor], spouse_starts[anchor + 1]):
                person = spouse[link]
                if mark[person] != place:
                    mark[person] = place
                    if not is_dead[person]:
                        if found == members.size:
                            members = _longer(members)
                        members[found] = person
                        found += 1
        member_starts[place + 1] = found
    return member_starts, members[:found]


@nb.njit(cache=True)
def maximal(unit_starts: Longs, member: Ints, order: Ints, n: int) -> Flags:
    """Which sets are in no other set; ``order`` has the largest first, and of equal sets the first one stays."""
    is_kept = np.zeros(order.size, np.bool_)
    first = np.full(n, -1, np.int64)  # linked lists of kept sets by member
    link_set, link_next, links = np.empty(1024, np.int32), np.empty(1024, np.int64), 0
    length = np.zeros(n, np.int32)
    mark = np.full(n, -1, np.int32)
    for position in range(order.size):
        place = order[position]
        begin, end = unit_starts[place], unit_starts[place + 1]
        rarest = member[begin]
        for at in range(begin, end):
            mark[member[at]] = place
            if length[member[at]] < length[rarest]:
                rarest = member[at]
        is_inside_another = False
        link = first[rarest]
        while link != -1 and not is_inside_another:
            other = link_set[link]
            shared = 0
            for at in range(unit_starts[other], unit_starts[other + 1]):
                shared += mark[member[at]] == place
            is_inside_another = shared == end - begin
            link = link_next[link]
        if is_inside_another:
            continue
        is_kept[position] = True
        for at in range(begin, end):
            while links >= link_set.size:
                link_set, link_next = _longer(link_set), _longer(link_next)
            link_set[links], link_next[links] = place, first[member[at]]
            first[member[at]] = links
            length[member[at]] += 1
            links += 1
    return is_kept


@nb.njit(cache=True)
def union_find(holder: Ints, company: Ints, n: int) -> Ints:
    """Connected components along every stake: the floor that a benchmark compares with, never a group."""
    component = np.arange(n).astype(np.int32)
    for row in range(holder.size):
        a, b = _find(component, holder[row]), _find(component, company[row])
        if a != b:
            component[max(a, b)] = min(a, b)
    for entity in range(n):
        component[entity] = _find(component, entity)
    return component
