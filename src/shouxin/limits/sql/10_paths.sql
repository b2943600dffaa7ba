-- Paths of the limit tree: lock them from the leaf to the root, judge an amount on them, shift their counters.
-- The hottest row, the group, is locked last and shortest; a parent is read only after its child is locked.
-- Amounts are 分. Written for PostgreSQL 15 and later.

CREATE OR REPLACE FUNCTION limit_used(
    is_revolving boolean, measure text, pending bigint, posted bigint, consumed bigint, earmarked bigint, cover bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT pending + earmarked + CASE WHEN is_revolving THEN posted ELSE consumed END
        - CASE WHEN measure = 'NET' THEN cover ELSE 0 END
$$;

CREATE OR REPLACE FUNCTION limit_lock_path(leaf bigint) RETURNS SETOF limits_node
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    next_id bigint := leaf;
BEGIN
    WHILE next_id IS NOT NULL LOOP
        SELECT * INTO node FROM limits_node WHERE id = next_id FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'limit node % does not exist', next_id USING ERRCODE = 'no_data_found';
        END IF;
        RETURN NEXT node;
        next_id := node.parent_id;
    END LOOP;
END $$;

-- Several paths at once: every facility by id, then every product, customer and group, so that no two acts wait for
-- each other in a circle whatever leaves they start from.
CREATE OR REPLACE FUNCTION limit_lock_tree(starts bigint[]) RETURNS SETOF limits_node
LANGUAGE plpgsql AS $$
DECLARE
    node limits_node;
    wanted bigint[] := starts;
    rank text;
BEGIN
    FOREACH rank IN ARRAY ARRAY['FACILITY', 'PRODUCT', 'CUSTOMER', 'GROUP'] LOOP
        FOR node IN SELECT * FROM limits_node n WHERE n.id = ANY(wanted) AND n.kind = rank ORDER BY n.id FOR NO KEY UPDATE
        LOOP
            RETURN NEXT node;
            IF node.parent_id IS NOT NULL AND NOT node.parent_id = ANY(wanted) THEN
                wanted := wanted || node.parent_id;
            END IF;
        END LOOP;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION limit_node_json(node limits_node) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'node', node.id, 'kind', node.kind, 'name', node.name, 'article', node.article, 'status', node.status,
        'cap_fen', node.cap_fen, 'used_fen', node.used_fen, 'available_fen', node.cap_fen - node.used_fen)
$$;

CREATE OR REPLACE FUNCTION limit_refusal(node limits_node, code text, asked bigint, available bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT limit_node_json(node) || jsonb_build_object(
        'code', code, 'asked_fen', asked, 'available_fen', available, 'reason', node.status_reason,
        'valid_from', node.valid_from, 'valid_to', node.valid_to, 'excess_cause', node.excess_cause)
$$;

-- Why this node alone would not take the amount; NULL when it would.
CREATE OR REPLACE FUNCTION limit_objection(node limits_node, asked bigint, on_date date) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN node.status <> 'ACTIVE' THEN 'LIMIT_' || node.status
        WHEN node.valid_from > on_date THEN 'LIMIT_NOT_YET_VALID'
        WHEN node.valid_to <= on_date THEN 'LIMIT_PERIOD_OVER'
        WHEN node.excess_cause IS NOT NULL THEN 'LIMIT_IN_EXCESS'
        WHEN asked > node.cap_fen - node.used_fen THEN 'LIMIT_EXCEEDED'
    END
$$;

-- Judge an amount against a locked path. All refusals are listed, leaf first; the binding node is the one with the
-- least available (0 where a node takes nothing), the lower one on a tie. Where a cap limits the net exposure, the
-- cash cover that comes with the amount is taken off. An override lets caps be passed, nothing else.
CREATE OR REPLACE FUNCTION limit_judge(
    path limits_node[], amount bigint, on_date date, cover bigint DEFAULT 0, is_override boolean DEFAULT false)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    node limits_node;
    asked bigint;
    available bigint;
    least bigint;
    binding jsonb;
    nodes jsonb := '[]';
    refusals jsonb := '[]';
    code text;
BEGIN
    FOREACH node IN ARRAY path LOOP
        nodes := nodes || limit_node_json(node);
        asked := amount - CASE WHEN node.measure = 'NET' THEN cover ELSE 0 END;
        code := limit_objection(node, asked, on_date);
        available := CASE WHEN code IS NULL OR code = 'LIMIT_EXCEEDED' THEN node.cap_fen - node.used_fen ELSE 0 END;
        IF available IS NOT NULL AND (least IS NULL OR available < least) THEN
            least := available;
            binding := limit_node_json(node) || jsonb_build_object('available_fen', available);
        END IF;
        IF code IS NOT NULL AND NOT (is_override AND code IN ('LIMIT_EXCEEDED', 'LIMIT_IN_EXCESS')) THEN
            refusals := refusals || limit_refusal(node, code, asked, available);
        END IF;
    END LOOP;
    RETURN jsonb_build_object(
        'outcome', CASE WHEN jsonb_array_length(refusals) = 0 THEN 'accepted' ELSE 'refused' END,
        'asked_fen', amount, 'effective_available_fen', least, 'binding', binding,
        'path', nodes, 'refusals', refusals);
END $$;

CREATE OR REPLACE FUNCTION limit_path(leaf bigint) RETURNS limits_node[]
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up AS (
        SELECT n.id, n.parent_id, 1 AS step FROM limits_node n WHERE n.id = leaf
        UNION ALL
        SELECT n.id, n.parent_id, up.step + 1 FROM limits_node n JOIN up ON n.id = up.parent_id
    )
    SELECT array_agg(n ORDER BY up.step) FROM up JOIN limits_node n USING (id)
$$;

-- The same judgement as limit_reserve without a lock, a hold or a trace.
CREATE OR REPLACE FUNCTION limit_simulate(facility bigint, amount bigint, on_date date, cover bigint DEFAULT 0)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    path limits_node[] := limit_path(facility);
BEGIN
    IF path IS NULL THEN
        RAISE EXCEPTION 'limit node % does not exist', facility USING ERRCODE = 'no_data_found';
    END IF;
    RETURN limit_judge(path, amount, on_date, cover);
END $$;

-- Open, adjust or close the excess of locked nodes according to their counters, with the cause of this act.
CREATE OR REPLACE FUNCTION limit_mark_excess(targets bigint[], why text, owner bigint, cure_by date) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    over bigint;
BEGIN
    INSERT INTO limits_excess (node_id, cause, amount_fen, opened_at, owner_id, cure_by_date)
    SELECT n.id, coalesce(n.excess_cause, why), n.used_fen - n.cap_fen, clock_timestamp(), owner, cure_by
    FROM limits_node n WHERE n.id = ANY(targets) AND n.used_fen > n.cap_fen
    ON CONFLICT (node_id) WHERE closed_at IS NULL DO UPDATE SET amount_fen = EXCLUDED.amount_fen;
    UPDATE limits_node SET excess_cause = NULL
    WHERE id = ANY(targets) AND excess_cause IS NOT NULL AND (cap_fen IS NULL OR used_fen <= cap_fen);
    IF FOUND THEN
        UPDATE limits_excess e SET closed_at = clock_timestamp() FROM limits_node n
        WHERE n.id = ANY(targets) AND e.node_id = n.id AND e.closed_at IS NULL AND n.excess_cause IS NULL;
    END IF;
    SELECT coalesce(max(used_fen - cap_fen), 0) INTO over FROM limits_node WHERE id = ANY(targets) AND used_fen > cap_fen;
    RETURN over;
END $$;

-- Shift the counters of a locked path and write the journal, leaf to root. What passes a cap needs a cause, without
-- one the table refuses; acts that give room back close the excesses that they cure.
CREATE OR REPLACE FUNCTION limit_shift(
    path limits_node[], operation text, hold uuid, pending bigint, posted bigint, consumed bigint, earmarked bigint,
    cover bigint, on_date date, cause text, actor bigint, excess_why text DEFAULT NULL, cure_by date DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    is_in_excess boolean;
BEGIN
    SELECT array_agg(p.id), bool_or(p.excess_cause IS NOT NULL) INTO ids, is_in_excess FROM unnest(path) p;
    UPDATE limits_node n SET
        pending_fen = n.pending_fen + pending,
        posted_fen = n.posted_fen + posted,
        consumed_fen = n.consumed_fen + CASE WHEN n.is_revolving THEN 0 ELSE consumed END,
        earmarked_fen = n.earmarked_fen + earmarked,
        cover_fen = n.cover_fen + cover,
        excess_cause = CASE
            WHEN excess_why IS NOT NULL AND n.cap_fen < n.used_fen + limit_used(
                n.is_revolving, n.measure, pending, posted, consumed, earmarked, cover)
            THEN coalesce(n.excess_cause, excess_why) ELSE n.excess_cause END
    WHERE n.id = ANY(ids);
    INSERT INTO limits_movement (operation, hold_id, node_id, level, pending_fen, posted_fen, consumed_fen,
        earmarked_fen, cover_fen, business_date, recorded_at, is_late, cause, actor_id)
    SELECT operation, hold, p.id, p.ordinality - 1, pending, posted, CASE WHEN p.is_revolving THEN 0 ELSE consumed END,
        earmarked, cover, on_date, clock_timestamp(), coalesce(on_date <= p.closed_through_date, false), cause, actor
    FROM unnest(path) WITH ORDINALITY p;
    IF is_in_excess OR excess_why IS NOT NULL THEN
        RETURN limit_mark_excess(ids, coalesce(excess_why, 'UNKNOWN'), actor, cure_by);
    END IF;
    RETURN 0;
END $$;
