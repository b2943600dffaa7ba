-- Caps: set, raised for a while, moved between lines, returned; room set apart; freeze, suspend, reinstate.

-- What shifted caps that will go back add to the approved cap of a node.
CREATE OR REPLACE FUNCTION limit_shifted(target bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE WHEN target = ANY(s.raised) THEN s.amount_fen ELSE -s.amount_fen END), 0)::bigint
    FROM limits_capshift s WHERE s.returned_at IS NULL AND (target = ANY(s.raised) OR target = ANY(s.lowered))
$$;

-- Change the cap of locked nodes by an amount, with a movement each; what is then above its cap is in excess.
CREATE OR REPLACE FUNCTION limit_add_to_caps(
    targets bigint[], amount bigint, operation text, on_date date, why text, actor bigint, cure_by date) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE limits_node SET cap_fen = greatest(cap_fen + amount, 0), excess_cause = CASE
        WHEN used_fen > greatest(cap_fen + amount, 0) THEN coalesce(excess_cause, 'CAP_CUT') ELSE excess_cause END
    WHERE id = ANY(targets);
    INSERT INTO limits_movement (operation, node_id, level, pending_fen, posted_fen, consumed_fen, earmarked_fen,
        cover_fen, new_cap_fen, business_date, recorded_at, is_late, cause, actor_id)
    SELECT operation, n.id, 0, 0, 0, 0, 0, 0, n.cap_fen, on_date, clock_timestamp(), false, why, actor
    FROM limits_node n WHERE n.id = ANY(targets) ORDER BY n.id;
    RETURN limit_mark_excess(targets, 'CAP_CUT', actor, cure_by);
END $$;

-- Under a parent that shares out its cap, the caps of the children stay within it together; NULL when they do.
CREATE OR REPLACE FUNCTION limit_allocation(node limits_node, in_force bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    parent limits_node;
    others bigint;
BEGIN
    SELECT * INTO parent FROM limits_node WHERE id = node.parent_id AND mode = 'ALLOC' FOR NO KEY UPDATE;
    IF NOT FOUND OR in_force <= coalesce(node.cap_fen, 0) THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(cap_fen), 0) INTO others FROM limits_node WHERE parent_id = parent.id AND id <> node.id;
    IF others + in_force > parent.cap_fen THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'ALLOCATION_ABOVE_PARENT', 'name', parent.name,
            'available_fen', parent.cap_fen - others);
    END IF;
    RETURN NULL;
END $$;

-- Give a node a new cap (NULL: none of its own). A cap below what is used opens an excess, it never fails (I13).
CREATE OR REPLACE FUNCTION limit_set_cap(
    target bigint, amount bigint, valid_during daterange, approval text, basis jsonb, on_date date, actor bigint,
    cure_by date) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    in_force bigint;
    refusal jsonb;
    over bigint;
BEGIN
    SELECT * INTO node FROM limits_node WHERE id = target FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', target USING ERRCODE = 'no_data_found';
    END IF;
    in_force := greatest(amount + limit_shifted(target), 0);
    refusal := limit_allocation(node, in_force);
    IF refusal IS NOT NULL THEN
        RETURN refusal;
    END IF;
    UPDATE limits_capline SET recorded = tstzrange(lower(recorded), clock_timestamp())
    WHERE node_id = target AND upper_inf(recorded) AND valid && valid_during AND lower(recorded) < clock_timestamp();
    INSERT INTO limits_capline (node_id, visibility, amount_fen, valid, recorded, approval, basis)
    VALUES (target, 'INTERNAL', amount, valid_during, tstzrange(clock_timestamp(), NULL), approval, basis);
    UPDATE limits_node SET cap_fen = in_force, valid_from = lower(valid_during), valid_to = upper(valid_during),
        excess_cause = CASE WHEN in_force IS NOT NULL AND used_fen > in_force THEN coalesce(excess_cause, 'CAP_CUT')
            ELSE excess_cause END,
        standing = CASE WHEN standing = 'EXPIRED' THEN 'ACTIVE' ELSE standing END,
        status = CASE WHEN status = 'EXPIRED' THEN 'ACTIVE' ELSE status END
    WHERE id = target;
    INSERT INTO limits_movement (operation, node_id, level, pending_fen, posted_fen, consumed_fen, earmarked_fen,
        cover_fen, new_cap_fen, business_date, recorded_at, is_late, cause, actor_id)
    VALUES ('SET_CAP', target, 0, 0, 0, 0, 0, 0, in_force, on_date, clock_timestamp(), false, approval, actor);
    over := limit_mark_excess(ARRAY[target], 'CAP_CUT', actor, cure_by);
    RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', over);
END $$;

-- Raise one cap until a return date.
CREATE OR REPLACE FUNCTION limit_raise_for_a_while(
    target bigint, amount bigint, on_date date, returns date, approval text, maker bigint, checker bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    shift bigint;
    refusal jsonb;
BEGIN
    SELECT * INTO node FROM limits_node WHERE id = target FOR NO KEY UPDATE;
    IF node.cap_fen IS NULL THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'NO_CAP_TO_RAISE');
    END IF;
    refusal := limit_allocation(node, node.cap_fen + amount);
    IF refusal IS NOT NULL THEN
        RETURN refusal;
    END IF;
    INSERT INTO limits_capshift (kind, node_id, raised, lowered, amount_fen, start_date, return_date, approval, maker_id,
        checker_id, recorded_at)
    VALUES ('TEMPORARY', target, ARRAY[target], '{}', amount, on_date, returns, approval, maker, checker, clock_timestamp())
    RETURNING id INTO shift;
    INSERT INTO limits_capline (node_id, visibility, amount_fen, valid, recorded, approval, basis)
    VALUES (target, 'ADHOC', amount, daterange(on_date, returns), tstzrange(clock_timestamp(), NULL), approval,
        jsonb_build_object('shift', shift));
    PERFORM limit_add_to_caps(ARRAY[target], amount, 'TEMPORARY', on_date, approval, checker, NULL);
    RETURN jsonb_build_object('outcome', 'accepted', 'shift', shift);
END $$;

-- Move part of one cap to another: only nodes below their lowest common ancestor change, and every donor keeps what
-- it uses (I9). With a return date it goes back.
CREATE OR REPLACE FUNCTION limit_reallocate(
    donor bigint, receiver bigint, amount bigint, on_date date, returns date, approval text, maker bigint,
    checker bigint, shift_kind text DEFAULT 'TRANSFER') RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    above_donor bigint[];
    above_receiver bigint[];
    lowered bigint[];
    raised bigint[];
    short limits_node;
    shift bigint;
BEGIN
    IF amount <= 0 THEN
        RAISE EXCEPTION 'a reallocation must be above 0, got %', amount USING ERRCODE = 'check_violation';
    END IF;
    PERFORM n.id FROM limit_lock_tree(ARRAY[donor, receiver]) n;
    above_donor := ARRAY(SELECT p.id FROM unnest(limit_path(donor)) p);
    above_receiver := ARRAY(SELECT p.id FROM unnest(limit_path(receiver)) p);
    IF NOT above_donor && above_receiver OR donor = ANY(above_receiver) OR receiver = ANY(above_donor) THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'NOT_SIDE_BY_SIDE');
    END IF;
    lowered := ARRAY(SELECT n.id FROM limits_node n WHERE n.id = ANY(above_donor) AND NOT n.id = ANY(above_receiver)
        AND n.cap_fen IS NOT NULL ORDER BY n.id);
    raised := ARRAY(SELECT n.id FROM limits_node n WHERE n.id = ANY(above_receiver) AND NOT n.id = ANY(above_donor)
        AND n.cap_fen IS NOT NULL ORDER BY n.id);
    IF NOT donor = ANY(lowered) OR NOT receiver = ANY(raised) THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'NO_CAP_TO_MOVE');
    END IF;
    SELECT * INTO short FROM limits_node n WHERE n.id = ANY(lowered) AND n.cap_fen - amount < n.used_fen ORDER BY n.id LIMIT 1;
    IF FOUND THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'DONOR_SHORT', 'name', short.name,
            'available_fen', greatest(short.cap_fen - short.used_fen, 0));
    END IF;
    INSERT INTO limits_capshift (kind, node_id, donor_id, raised, lowered, amount_fen, start_date, return_date,
        returned_at, approval, maker_id, checker_id, recorded_at)
    VALUES (shift_kind, receiver, donor, raised, lowered, amount, on_date, returns,
        CASE WHEN returns IS NULL AND shift_kind = 'TRANSFER' THEN clock_timestamp() END, approval, maker, checker,
        clock_timestamp())
    RETURNING id INTO shift;
    PERFORM limit_add_to_caps(lowered, -amount, shift_kind, on_date, approval, checker, NULL);
    PERFORM limit_add_to_caps(raised, amount, shift_kind, on_date, approval, checker, NULL);
    RETURN jsonb_build_object('outcome', 'accepted', 'shift', shift);
END $$;

-- A shifted cap goes back. The receiver may be above its own cap then: an excess, never a refusal.
CREATE OR REPLACE FUNCTION limit_return_shift(shift bigint, on_date date, actor bigint, cure_by date) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    found_shift limits_capshift;
    over bigint;
BEGIN
    SELECT * INTO found_shift FROM limits_capshift s WHERE s.id = shift FOR UPDATE;
    IF found_shift.returned_at IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'RETURNED_ALREADY');
    END IF;
    PERFORM n.id FROM limit_lock_tree(found_shift.raised || found_shift.lowered) n;
    UPDATE limits_capshift SET returned_at = clock_timestamp() WHERE id = shift;
    over := limit_add_to_caps(found_shift.raised, -found_shift.amount_fen, 'RETURN', on_date, found_shift.approval, actor,
        cure_by);
    PERFORM limit_add_to_caps(found_shift.lowered, found_shift.amount_fen, 'RETURN', on_date, found_shift.approval, actor,
        cure_by);
    RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', over);
END $$;

-- 串用: lock a facility's path with the sibling products that may lend, and let them lend what its product lacks.
CREATE OR REPLACE FUNCTION limit_borrow(facility bigint, amount bigint, on_date date, actor bigint, cover bigint)
RETURNS limits_node[] LANGUAGE plpgsql AS $$
DECLARE
    leaf limits_node;
    own limits_node;
    rule limits_fungibilityrule;
    lender limits_node;
    lacking bigint;
    part bigint;
BEGIN
    SELECT * INTO leaf FROM limits_node WHERE id = facility FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', facility USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM n.id FROM limits_node n WHERE n.kind = 'PRODUCT'
        AND n.parent_id = (SELECT p.parent_id FROM limits_node p WHERE p.id = leaf.parent_id)
    ORDER BY n.id FOR NO KEY UPDATE;
    SELECT * INTO own FROM limits_node WHERE id = leaf.parent_id AND kind = 'PRODUCT';
    lacking := amount - CASE WHEN own.measure = 'NET' THEN coalesce(cover, 0) ELSE 0 END - (own.cap_fen - own.used_fen);
    IF lacking > 0 AND own.excess_cause IS NULL THEN
        FOR rule IN SELECT * FROM limits_fungibilityrule r WHERE r.to_product = own.product
            AND (r.customer_node_id IS NULL OR r.customer_node_id = own.parent_id)
            AND r.valid_from <= on_date AND on_date < coalesce(r.valid_to, 'infinity') ORDER BY r.id
        LOOP
            SELECT * INTO lender FROM limits_node n
            WHERE n.parent_id = own.parent_id AND n.kind = 'PRODUCT' AND n.product = rule.from_product;
            part := least(lacking, lender.cap_fen - lender.used_fen, rule.maximum_fen - (
                SELECT coalesce(sum(s.amount_fen), 0) FROM limits_capshift s
                WHERE s.kind = 'FUNGIBLE' AND s.returned_at IS NULL AND s.node_id = own.id AND s.donor_id = lender.id));
            CONTINUE WHEN part IS NULL OR part <= 0 OR lender.status <> 'ACTIVE' OR lender.excess_cause IS NOT NULL;
            PERFORM limit_reallocate(lender.id, own.id, part, on_date, NULL, rule.approval, NULL, actor, 'FUNGIBLE');
            lacking := lacking - part;
            EXIT WHEN lacking = 0;
        END LOOP;
    END IF;
    RETURN ARRAY(SELECT n FROM limit_lock_path(facility) n);
END $$;

-- Room set apart on a node for a purpose: judged like a reservation.
CREATE OR REPLACE FUNCTION limit_earmark(
    earmark uuid, target bigint, amount bigint, why text, until date, on_date date, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    path limits_node[] := ARRAY(SELECT n FROM limit_lock_path(target) n);
    reply jsonb := limit_judge(path, amount, on_date);
BEGIN
    IF reply ->> 'outcome' = 'accepted' THEN
        INSERT INTO limits_earmark (id, node_id, amount_fen, purpose, until_date, maker_id, created_at)
        VALUES (earmark, target, amount, why, until, actor, clock_timestamp());
        PERFORM limit_shift(path, 'EARMARK', NULL, 0, 0, 0, amount, 0, on_date, why, actor);
    END IF;
    RETURN reply;
END $$;

CREATE OR REPLACE FUNCTION limit_release_earmark(earmark uuid, on_date date, why text, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    found_earmark limits_earmark;
BEGIN
    SELECT * INTO found_earmark FROM limits_earmark e WHERE e.id = earmark FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'earmark % does not exist', earmark USING ERRCODE = 'no_data_found';
    ELSIF found_earmark.released_at IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'EARMARK_RELEASED');
    END IF;
    UPDATE limits_earmark SET released_at = clock_timestamp() WHERE id = earmark;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(found_earmark.node_id) n), 'UNEARMARK', NULL, 0, 0, 0,
        -found_earmark.amount_fen, 0, on_date, why, actor);
    RETURN jsonb_build_object('outcome', 'accepted');
END $$;

-- Freeze and unfreeze: by hand and by the system are two flags; a line is free only when both are off.
CREATE OR REPLACE FUNCTION limit_set_freeze(
    target bigint, by_system boolean, is_on boolean, why text, on_date date, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    by_hand boolean;
    by_rule boolean;
BEGIN
    SELECT * INTO node FROM limits_node WHERE id = target FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', target USING ERRCODE = 'no_data_found';
    END IF;
    by_hand := CASE WHEN by_system THEN node.is_frozen_manually ELSE is_on END;
    by_rule := CASE WHEN by_system THEN is_on ELSE node.is_frozen_by_system END;
    UPDATE limits_node SET is_frozen_manually = by_hand, is_frozen_by_system = by_rule, status_reason = why,
        status = CASE WHEN by_hand OR by_rule THEN 'FROZEN' ELSE standing END
    WHERE id = target;
    INSERT INTO limits_movement (operation, node_id, level, pending_fen, posted_fen, consumed_fen, earmarked_fen,
        cover_fen, business_date, recorded_at, is_late, cause, actor_id)
    VALUES (CASE WHEN is_on THEN 'FREEZE' ELSE 'UNFREEZE' END || CASE WHEN by_system THEN '_SYSTEM' ELSE '' END,
        target, 0, 0, 0, 0, 0, 0, on_date, clock_timestamp(), false, why, actor);
    RETURN jsonb_build_object('outcome', 'accepted', 'status',
        CASE WHEN by_hand OR by_rule THEN 'FROZEN' ELSE node.standing END);
END $$;

-- FROZEN freezes by hand; ACTIVE lifts that and reinstates; the others are the state beside any freeze. A line that is
-- used cannot be closed.
CREATE OR REPLACE FUNCTION limit_set_status(target bigint, new_status text, why text, on_date date, actor bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
BEGIN
    IF new_status = 'FROZEN' THEN
        RETURN limit_set_freeze(target, false, true, why, on_date, actor);
    END IF;
    SELECT * INTO node FROM limits_node WHERE id = target FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', target USING ERRCODE = 'no_data_found';
    ELSIF new_status = 'CLOSED' AND (node.pending_fen <> 0 OR node.posted_fen <> 0 OR node.earmarked_fen <> 0) THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'LIMIT_IN_USE');
    END IF;
    UPDATE limits_node SET standing = new_status, status_reason = why,
        is_frozen_manually = is_frozen_manually AND new_status <> 'ACTIVE',
        status = CASE WHEN is_frozen_by_system OR (is_frozen_manually AND new_status <> 'ACTIVE') THEN 'FROZEN'
            ELSE new_status END
    WHERE id = target;
    INSERT INTO limits_movement (operation, node_id, level, pending_fen, posted_fen, consumed_fen, earmarked_fen,
        cover_fen, business_date, recorded_at, is_late, cause, actor_id)
    VALUES ('STATUS_' || new_status, target, 0, 0, 0, 0, 0, 0, on_date, clock_timestamp(), false, why, actor);
    RETURN jsonb_build_object('outcome', 'accepted');
END $$;
