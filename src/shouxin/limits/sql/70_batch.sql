-- Many reservations in one transaction for one hot group (group commit). Set-based: each hot row is written once a
-- batch. It takes the same locks as limit_reserve, in the same order, so both may be at work at once. Items that make
-- no reservation are answered one by one and never fail the others.
--
-- Outcomes beside accepted, refused and key_reused: ``invalid`` with a code, and ``busy`` when the same key is at work
-- elsewhere or twice in this batch; the caller asks again. Availability in the answers is that before the batch.

CREATE OR REPLACE FUNCTION limit_reserve_batch(
    callers text[], keys text[], fingerprints text[], holds uuid[], facilities bigint[], amounts bigint[],
    expiries timestamptz[], actors bigint[], on_date date) RETURNS TABLE (item integer, answer jsonb)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    fresh integer[];
    a bigint[]; b bigint[]; c bigint[]; d bigint[];  -- the node of each fresh item's path, leaf to root
    binding_of bigint[];
    bindings jsonb[];
    accepted integer[];
    is_tight boolean;
BEGIN
    -- 1. The gate: keys that are at work elsewhere, known already, or no reservation at all.
    fresh := ARRAY(
        SELECT i FROM (
            SELECT i, row_number() OVER (PARTITION BY callers[i], keys[i] ORDER BY i) = 1
                AND pg_try_advisory_xact_lock(hashtextextended(callers[i] || E'\x1f' || keys[i], 11)) AS is_ours
            FROM generate_subscripts(keys, 1) i
        ) gate WHERE is_ours ORDER BY i);
    RETURN QUERY SELECT i, '{"outcome": "busy"}'::jsonb FROM generate_subscripts(keys, 1) i WHERE NOT i = ANY(fresh);
    RETURN QUERY
        SELECT t.i, CASE WHEN known.fingerprint = fingerprints[t.i]
            THEN known.answer || '{"replayed": true}' ELSE '{"outcome": "key_reused"}' END
        FROM unnest(fresh) t (i) JOIN limits_idempotencykey known ON known.caller = callers[t.i] AND known.key = keys[t.i];
    IF FOUND THEN
        fresh := ARRAY(SELECT t.i FROM unnest(fresh) t (i) WHERE NOT EXISTS (
            SELECT 1 FROM limits_idempotencykey known WHERE known.caller = callers[t.i] AND known.key = keys[t.i])
            ORDER BY t.i);
    END IF;
    RETURN QUERY
        SELECT t.i, jsonb_build_object('outcome', 'invalid', 'code', CASE
            WHEN amounts[t.i] IS NULL OR amounts[t.i] <= 0 THEN 'AMOUNT_NOT_POSITIVE'
            WHEN expiries[t.i] IS NULL OR expiries[t.i] <= clock_timestamp() THEN 'EXPIRY_PAST'
            ELSE 'FACILITY_UNKNOWN' END)
        FROM unnest(fresh) t (i) WHERE amounts[t.i] IS NULL OR amounts[t.i] <= 0
            OR expiries[t.i] IS NULL OR expiries[t.i] <= clock_timestamp()
            OR NOT EXISTS (SELECT 1 FROM limits_node n WHERE n.id = facilities[t.i]);
    IF FOUND THEN
        fresh := ARRAY(SELECT t.i FROM unnest(fresh) t (i) WHERE amounts[t.i] > 0 AND expiries[t.i] > clock_timestamp()
            AND EXISTS (SELECT 1 FROM limits_node n WHERE n.id = facilities[t.i]) ORDER BY t.i);
    END IF;
    IF cardinality(fresh) = 0 THEN
        RETURN;
    END IF;

    -- 2. The locks, then the paths as they are now.
    PERFORM n.id FROM limit_lock_tree(ARRAY(SELECT DISTINCT facilities[t.i] FROM unnest(fresh) t (i))) n;
    SELECT array_agg(n0.id ORDER BY t.o), array_agg(n1.id ORDER BY t.o), array_agg(n2.id ORDER BY t.o),
        array_agg(n3.id ORDER BY t.o)
    INTO a, b, c, d
    FROM unnest(fresh) WITH ORDINALITY t (i, o)
    JOIN limits_node n0 ON n0.id = facilities[t.i]
    LEFT JOIN limits_node n1 ON n1.id = n0.parent_id
    LEFT JOIN limits_node n2 ON n2.id = n1.parent_id
    LEFT JOIN limits_node n3 ON n3.id = n2.parent_id;

    -- 3. The decision: all together when there is room for all, else one after the other.
    SELECT coalesce(bool_or(limit_objection(n, asked.total::bigint, on_date) IS NOT NULL), false) INTO is_tight
    FROM (
        SELECT x.node, least(sum(amounts[p.i]), 9e18) AS total
        FROM unnest(fresh, a, b, c, d) p (i, a, b, c, d), LATERAL unnest(ARRAY[p.a, p.b, p.c, p.d]) x (node)
        WHERE x.node IS NOT NULL GROUP BY x.node
    ) asked JOIN limits_node n ON n.id = asked.node;
    accepted := fresh;
    IF is_tight THEN
        accepted := limit_decide_in_turn(fresh, facilities, amounts, a, b, c, d, on_date);
    END IF;
    SELECT array_agg(f.id), array_agg(limit_judge(limit_path(f.id), 0, on_date)) INTO binding_of, bindings
    FROM (SELECT DISTINCT facilities[t.i] AS id FROM unnest(fresh) t (i)) f;

    -- 4. The answers, refusals too; then one write of each table.
    RETURN QUERY
        WITH told AS (
            SELECT t.i, CASE WHEN t.i = ANY(accepted) THEN jsonb_build_object(
                'outcome', 'accepted', 'asked_fen', amounts[t.i], 'hold', holds[t.i], 'path', '[]'::jsonb,
                'refusals', '[]'::jsonb, 'binding', bindings[array_position(binding_of, facilities[t.i])] -> 'binding',
                'effective_available_fen',
                bindings[array_position(binding_of, facilities[t.i])] -> 'effective_available_fen')
            ELSE limit_judge(limit_path_less(ARRAY[a[t.o], b[t.o], c[t.o], d[t.o]], amounts, fresh, a, b, c, d, accepted,
                t.i, is_tight), amounts[t.i], on_date) END AS reply
            FROM unnest(fresh) WITH ORDINALITY t (i, o)
        ), kept AS (
            INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)
            SELECT callers[told.i], keys[told.i], fingerprints[told.i], told.reply, clock_timestamp() FROM told
        ) SELECT told.i, told.reply FROM told;
    IF cardinality(accepted) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, cover_fen, currency, original_posted,
        original_balance, state, business_date, expires_at, maker_id, created_at)
    SELECT holds[t.i], facilities[t.i], amounts[t.i], 0, 0, 0, 'CNY', 0, 0, 'PENDING', on_date, expiries[t.i],
        actors[t.i], clock_timestamp()
    FROM unnest(accepted) t (i);
    INSERT INTO limits_movement (operation, hold_id, node_id, level, pending_fen, posted_fen, consumed_fen,
        earmarked_fen, cover_fen, business_date, recorded_at, is_late, cause, actor_id)
    SELECT 'RESERVE', holds[p.i], x.node, x.level - 1, amounts[p.i], 0, 0, 0, 0, on_date, clock_timestamp(),
        false, '', actors[p.i]
    FROM unnest(fresh, a, b, c, d) WITH ORDINALITY p (i, a, b, c, d, o),
        LATERAL unnest(ARRAY[p.a, p.b, p.c, p.d]) WITH ORDINALITY x (node, level)
    WHERE x.node IS NOT NULL AND (NOT is_tight OR p.i = ANY(accepted));
    UPDATE limits_node n SET pending_fen = n.pending_fen + added.total
    FROM (
        SELECT x.node, sum(amounts[p.i])::bigint AS total
        FROM unnest(fresh, a, b, c, d) p (i, a, b, c, d), LATERAL unnest(ARRAY[p.a, p.b, p.c, p.d]) x (node)
        WHERE x.node IS NOT NULL AND (NOT is_tight OR p.i = ANY(accepted)) GROUP BY x.node
    ) added WHERE n.id = added.node;
END $$;

-- Near a cap: one item after the other in memory, first come first served; nothing is written here.
CREATE OR REPLACE FUNCTION limit_decide_in_turn(
    fresh integer[], facilities bigint[], amounts bigint[], a bigint[], b bigint[], c bigint[], d bigint[], on_date date)
RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    room bigint[];  -- what is left of each node, NULL without a cap, -1 where nothing is taken
    at integer[];
    place integer;
    accepted integer[] := '{}';
    amount bigint;
    fits boolean;
BEGIN
    SELECT array_agg(n.id ORDER BY n.id), array_agg(CASE
        WHEN coalesce(limit_objection(n, 0, on_date), 'LIMIT_EXCEEDED') <> 'LIMIT_EXCEEDED' THEN -1
        ELSE n.cap_fen - n.used_fen END ORDER BY n.id)
    INTO ids, room FROM limits_node n WHERE n.id = ANY(a || b || c || d);
    FOR step IN 1 .. cardinality(fresh) LOOP
        amount := amounts[fresh[step]];
        at := ARRAY[array_position(ids, a[step]), array_position(ids, b[step]), array_position(ids, c[step]),
            array_position(ids, d[step])];
        fits := true;
        FOREACH place IN ARRAY at LOOP
            fits := fits AND (place IS NULL OR room[place] IS NULL OR room[place] >= amount);
        END LOOP;
        IF fits THEN
            FOREACH place IN ARRAY at LOOP
                IF place IS NOT NULL THEN
                    room[place] := room[place] - amount;
                END IF;
            END LOOP;
            accepted := accepted || fresh[step];
        END IF;
    END LOOP;
    RETURN accepted;
END $$;

-- A path as a refused item found it: with what the items before it in this batch had taken.
CREATE OR REPLACE FUNCTION limit_path_less(
    nodes bigint[], amounts bigint[], fresh integer[], a bigint[], b bigint[], c bigint[], d bigint[], accepted integer[],
    before integer, is_tight boolean) RETURNS limits_node[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    path limits_node[];
    taken bigint;
    node limits_node;
    id bigint;
BEGIN
    FOREACH id IN ARRAY nodes LOOP
        CONTINUE WHEN id IS NULL;
        SELECT * INTO node FROM limits_node n WHERE n.id = limit_path_less.id;
        SELECT coalesce(sum(amounts[p.i]), 0) INTO taken FROM unnest(fresh, a, b, c, d) p (i, a, b, c, d)
        WHERE p.i < before AND p.i = ANY(accepted) AND node.id IN (p.a, p.b, p.c, p.d);
        node.used_fen := node.used_fen + taken;
        path := path || node;
    END LOOP;
    RETURN path;
END $$;
