-- The limit ledger's acts. Each is one call and one decision point: it takes the row locks from the leaf to the root
-- (the hottest row last and shortest), reads every parent only after its child is locked, decides, writes the counters,
-- the hold, the journal and the remembered answer. Amounts are 分. Written for PostgreSQL 15 and later.

CREATE OR REPLACE FUNCTION limit_lock_path(leaf bigint) RETURNS SETOF limits_node
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    next_id bigint := leaf;
BEGIN
    WHILE next_id IS NOT NULL LOOP
        SELECT * INTO node FROM limits_node WHERE id = next_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'limit node % does not exist', next_id USING ERRCODE = 'no_data_found';
        END IF;
        RETURN NEXT node;
        next_id := node.parent_id;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION limit_node_json(node limits_node) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'node', node.id, 'kind', node.kind, 'name', node.name, 'article', node.article, 'status', node.status,
        'cap_fen', node.cap_fen, 'used_fen', node.used_fen, 'available_fen', node.cap_fen - node.used_fen)
$$;

-- Judge an amount against a locked path. All refusals are listed, leaf first; the binding node is the one with the
-- least available (0 where a node is not active), the lower one on a tie.
CREATE OR REPLACE FUNCTION limit_judge(path limits_node[], amount bigint, on_date date) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    node limits_node;
    available bigint;
    least bigint;
    binding jsonb;
    nodes jsonb := '[]';
    refusals jsonb := '[]';
    code text;
BEGIN
    FOREACH node IN ARRAY path LOOP
        nodes := nodes || limit_node_json(node);
        code := NULL;
        available := node.cap_fen - node.used_fen;
        IF node.status <> 'ACTIVE' THEN
            code := 'LIMIT_' || node.status;
            available := 0;
        ELSIF node.valid_from > on_date THEN
            code := 'LIMIT_NOT_YET_VALID';
            available := 0;
        ELSIF node.valid_to <= on_date THEN
            code := 'LIMIT_PERIOD_OVER';
            available := 0;
        ELSIF node.excess_cause IS NOT NULL THEN
            code := 'LIMIT_IN_EXCESS';
            available := 0;
        ELSIF amount > available THEN
            code := 'LIMIT_EXCEEDED';
        END IF;
        IF available IS NOT NULL AND (least IS NULL OR available < least) THEN
            least := available;
            binding := limit_node_json(node) || jsonb_build_object('available_fen', available);
        END IF;
        IF code IS NOT NULL THEN
            refusals := refusals || (limit_node_json(node) || jsonb_build_object(
                'code', code, 'asked_fen', amount, 'available_fen', available, 'reason', node.status_reason,
                'valid_from', node.valid_from, 'valid_to', node.valid_to, 'excess_cause', node.excess_cause));
        END IF;
    END LOOP;
    RETURN jsonb_build_object(
        'outcome', CASE WHEN jsonb_array_length(refusals) = 0 THEN 'accepted' ELSE 'refused' END,
        'asked_fen', amount, 'effective_available_fen', least, 'binding', binding,
        'path', nodes, 'refusals', refusals);
END $$;

-- The same judgement as limit_reserve without a lock, a hold or a trace.
CREATE OR REPLACE FUNCTION limit_simulate(facility bigint, amount bigint, on_date date) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    path limits_node[];
BEGIN
    WITH RECURSIVE up AS (
        SELECT n.id, n.parent_id, 1 AS step FROM limits_node n WHERE n.id = facility
        UNION ALL
        SELECT n.id, n.parent_id, up.step + 1 FROM limits_node n JOIN up ON n.id = up.parent_id
    )
    SELECT array_agg(n ORDER BY up.step) INTO path FROM up JOIN limits_node n USING (id);
    IF path IS NULL THEN
        RAISE EXCEPTION 'limit node % does not exist', facility USING ERRCODE = 'no_data_found';
    END IF;
    RETURN limit_judge(path, amount, on_date);
END $$;

-- Shift the counters of a path and write the journal, leaf to root.
CREATE OR REPLACE FUNCTION limit_shift(
    path limits_node[], operation text, hold uuid, pending bigint, posted bigint, consumed bigint,
    on_date date, cause text, actor bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    node_consumed bigint;
BEGIN
    FOREACH node IN ARRAY path LOOP
        node_consumed := CASE WHEN node.is_revolving THEN 0 ELSE consumed END;
        UPDATE limits_node SET pending_fen = pending_fen + pending, posted_fen = posted_fen + posted,
            consumed_fen = consumed_fen + node_consumed
        WHERE id = node.id;
        INSERT INTO limits_movement (operation, hold_id, node_id, pending_fen, posted_fen, consumed_fen, earmarked_fen,
            business_date, recorded_at, cause, actor_id)
        VALUES (operation, hold, node.id, pending, posted, node_consumed, 0, on_date, clock_timestamp(), cause, actor);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION limit_reserve(
    caller text, key text, fingerprint text, hold uuid, facility bigint, amount bigint, on_date date,
    expires timestamptz, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    remembered limits_idempotencykey;
    path limits_node[];
    reply jsonb;
BEGIN
    IF amount IS NULL OR amount <= 0 THEN
        RAISE EXCEPTION 'a reservation must be above 0, got %', amount USING ERRCODE = 'check_violation';
    END IF;
    IF expires <= clock_timestamp() THEN
        RAISE EXCEPTION 'the reservation would expire at %, which is past', expires USING ERRCODE = 'check_violation';
    END IF;
    -- A second caller with the same key waits here until the first has committed or rolled back.
    INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)
    VALUES (limit_reserve.caller, limit_reserve.key, limit_reserve.fingerprint, '{}', clock_timestamp())
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO remembered FROM limits_idempotencykey i
        WHERE i.caller = limit_reserve.caller AND i.key = limit_reserve.key;
        IF remembered.fingerprint <> limit_reserve.fingerprint THEN
            RETURN jsonb_build_object('outcome', 'key_reused');
        END IF;
        RETURN remembered.answer || jsonb_build_object('replayed', true);
    END IF;

    path := ARRAY(SELECT n FROM limit_lock_path(facility) n);
    reply := limit_judge(path, amount, on_date);
    IF reply ->> 'outcome' = 'accepted' THEN
        INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, state, business_date, expires_at,
            maker_id, created_at)
        VALUES (hold, facility, amount, 0, 0, 'PENDING', on_date, expires, actor, clock_timestamp());
        PERFORM limit_shift(path, 'RESERVE', hold, amount, 0, 0, on_date, '', actor);
        reply := reply || jsonb_build_object('hold', hold);
    END IF;
    UPDATE limits_idempotencykey i SET answer = reply
    WHERE i.caller = limit_reserve.caller AND i.key = limit_reserve.key;
    RETURN reply;
END $$;

CREATE OR REPLACE FUNCTION limit_hold_locked(hold uuid) RETURNS limits_hold
LANGUAGE plpgsql AS $$
DECLARE
    found_hold limits_hold;
BEGIN
    SELECT * INTO found_hold FROM limits_hold h WHERE h.id = hold FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'hold % does not exist', hold USING ERRCODE = 'no_data_found';
    END IF;
    RETURN found_hold;
END $$;

-- Turn a reservation into a booking of part or all of it; the rest is given back in the same act (I4).
CREATE OR REPLACE FUNCTION limit_post(hold uuid, amount bigint, on_date date, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
    path limits_node[];
    node limits_node;
BEGIN
    IF held.state <> 'PENDING' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    ELSIF held.expires_at <= clock_timestamp() THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_EXPIRED');
    ELSIF amount <= 0 OR amount > held.amount_fen THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'POST_OUTSIDE_HOLD', 'held_fen', held.amount_fen);
    END IF;
    path := ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n);
    FOREACH node IN ARRAY path LOOP
        IF node.status = 'FROZEN' THEN
            RETURN jsonb_build_object('outcome', 'refused', 'code', 'LIMIT_FROZEN', 'name', node.name);
        END IF;
    END LOOP;
    UPDATE limits_hold SET state = 'POSTED', posted_fen = amount, balance_fen = amount, closed_at = clock_timestamp()
    WHERE id = hold;
    PERFORM limit_shift(path, 'POST', hold, -held.amount_fen, amount, amount, on_date, '', actor);
    RETURN jsonb_build_object('outcome', 'accepted', 'posted_fen', amount);
END $$;

-- Give a reservation back; never refused for a limit or a freeze (I6).
CREATE OR REPLACE FUNCTION limit_void(hold uuid, on_date date, why text, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
BEGIN
    IF held.state <> 'PENDING' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    END IF;
    UPDATE limits_hold SET state = 'VOIDED', closed_at = clock_timestamp() WHERE id = hold;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), 'VOID', hold, -held.amount_fen, 0, 0,
        on_date, why, actor);
    RETURN jsonb_build_object('outcome', 'accepted');
END $$;

-- A repayment: part or all of a booking comes back.
CREATE OR REPLACE FUNCTION limit_release(hold uuid, amount bigint, on_date date, why text, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
BEGIN
    IF held.state <> 'POSTED' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    ELSIF amount <= 0 OR amount > held.balance_fen THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'RELEASE_ABOVE_BALANCE', 'balance_fen', held.balance_fen);
    END IF;
    UPDATE limits_hold SET balance_fen = balance_fen - amount WHERE id = hold;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), 'RELEASE', hold, 0, -amount, 0,
        on_date, why, actor);
    PERFORM limit_settle_excess(n.id) FROM limit_lock_path(held.facility_id) n;
    RETURN jsonb_build_object('outcome', 'accepted', 'balance_fen', held.balance_fen - amount);
END $$;

-- Close the excess of a locked node once it is within its cap again.
CREATE OR REPLACE FUNCTION limit_settle_excess(target bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE limits_node SET excess_cause = NULL
    WHERE id = target AND excess_cause IS NOT NULL AND (cap_fen IS NULL OR used_fen <= cap_fen);
    IF FOUND THEN
        UPDATE limits_excess SET closed_at = clock_timestamp() WHERE node_id = target AND closed_at IS NULL;
    END IF;
END $$;

-- Open, adjust or close the excess of a locked node according to its counters, with the cause of this act.
CREATE OR REPLACE FUNCTION limit_mark_excess(target bigint, why text, owner bigint, cure_by date) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    over bigint;
BEGIN
    SELECT used_fen - cap_fen INTO over FROM limits_node WHERE id = target;
    IF over > 0 THEN
        INSERT INTO limits_excess (node_id, cause, amount_fen, opened_at, owner_id, cure_by_date)
        VALUES (target, why, over, clock_timestamp(), owner, cure_by)
        ON CONFLICT (node_id) WHERE closed_at IS NULL DO UPDATE SET amount_fen = EXCLUDED.amount_fen;
        RETURN over;
    END IF;
    PERFORM limit_settle_excess(target);
    RETURN 0;
END $$;

-- Give a node a new cap (NULL: none of its own). A cap below what is used opens an excess, it never fails (I13).
CREATE OR REPLACE FUNCTION limit_set_cap(
    target bigint, amount bigint, valid_during daterange, approval text, basis jsonb, on_date date, actor bigint,
    cure_by date) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    over bigint;
BEGIN
    SELECT * INTO node FROM limits_node WHERE id = target FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', target USING ERRCODE = 'no_data_found';
    END IF;
    UPDATE limits_capline SET recorded = tstzrange(lower(recorded), clock_timestamp())
    WHERE node_id = target AND upper_inf(recorded) AND valid && valid_during AND lower(recorded) < clock_timestamp();
    INSERT INTO limits_capline (node_id, visibility, amount_fen, valid, recorded, approval, basis)
    VALUES (target, 'INTERNAL', amount, valid_during, tstzrange(clock_timestamp(), NULL), approval, basis);
    UPDATE limits_node SET cap_fen = amount, valid_from = lower(valid_during), valid_to = upper(valid_during),
        excess_cause = CASE WHEN amount IS NOT NULL AND used_fen > amount THEN coalesce(excess_cause, 'CAP_CUT') END
    WHERE id = target;
    INSERT INTO limits_movement (operation, node_id, pending_fen, posted_fen, consumed_fen, earmarked_fen, new_cap_fen,
        business_date, recorded_at, cause, actor_id)
    VALUES ('SET_CAP', target, 0, 0, 0, 0, amount, on_date, clock_timestamp(), approval, actor);
    over := limit_mark_excess(target, 'CAP_CUT', actor, cure_by);
    RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', coalesce(over, 0));
END $$;

CREATE OR REPLACE FUNCTION limit_set_status(target bigint, new_status text, why text, on_date date, actor bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE limits_node SET status = new_status, status_reason = why WHERE id = target;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', target USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO limits_movement (operation, node_id, pending_fen, posted_fen, consumed_fen, earmarked_fen,
        business_date, recorded_at, cause, actor_id)
    VALUES ('STATUS_' || new_status, target, 0, 0, 0, 0, on_date, clock_timestamp(), why, actor);
END $$;

-- Hang a customer under another group: exactly its own sums move (I12). The new group's cap need not suffice (I13).
CREATE OR REPLACE FUNCTION limit_move_customer(member bigint, new_parent bigint, on_date date, why text, actor bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moved limits_node;
    target limits_node;
    side bigint;
    sign integer;
    over bigint := 0;
BEGIN
    SELECT * INTO moved FROM limits_node WHERE id = member FOR UPDATE;
    IF moved.parent_id = new_parent THEN
        RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', 0);
    END IF;
    FOR side IN SELECT x FROM unnest(ARRAY[moved.parent_id, new_parent]) x ORDER BY x LOOP
        SELECT * INTO target FROM limits_node WHERE id = side FOR UPDATE;
        sign := CASE WHEN side = new_parent THEN 1 ELSE -1 END;
        UPDATE limits_node SET pending_fen = pending_fen + sign * moved.pending_fen,
            posted_fen = posted_fen + sign * moved.posted_fen,
            excess_cause = CASE
                WHEN cap_fen IS NOT NULL AND used_fen + sign * (moved.pending_fen + moved.posted_fen) > cap_fen
                THEN coalesce(excess_cause, 'MEMBERSHIP') END
        WHERE id = side;
        INSERT INTO limits_movement (operation, node_id, pending_fen, posted_fen, consumed_fen, earmarked_fen,
            business_date, recorded_at, cause, actor_id)
        VALUES ('MOVE', side, sign * moved.pending_fen, sign * moved.posted_fen, 0, 0, on_date, clock_timestamp(), why,
            actor);
        over := over + coalesce(limit_mark_excess(side, 'MEMBERSHIP', actor, NULL), 0);
    END LOOP;
    UPDATE limits_node SET parent_id = new_parent WHERE id = member;
    RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', over);
END $$;
