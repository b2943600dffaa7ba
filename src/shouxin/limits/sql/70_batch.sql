-- Many reservations in one transaction for one hot group (group commit). Set-based: each hot row is written once a
-- batch. It takes the same locks as limit_reserve, in the same order, so both may be at work at once. Items that make
-- no reservation are answered one by one and never fail the others.
--
-- Outcomes beside accepted, refused and key_reused: ``invalid`` with a code, and ``busy`` when the same key is at work
-- elsewhere or twice in this batch; the caller asks again. Availability in the answers is that before the batch.
-- Items with one answer share a row. Those accepted on one facility do: each caller adds its own hold and amount, as
-- limit_told does from what is kept with the key. That saves building, sending and reading an answer for each item.
-- The arrays are unnested side by side and made shorter when items fall out, never searched by position: that is what
-- keeps the cost of an item the same in a batch of ten and of a thousand.

CREATE OR REPLACE FUNCTION limit_reserve_batch(
    callers text[], keys text[], fingerprints text[], holds uuid[], facilities bigint[], amounts bigint[],
    expiries timestamptz[], actors bigint[], on_date date) RETURNS TABLE (told integer[], answer jsonb)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    items integer[];
    dropped integer[];
    a bigint[]; b bigint[]; c bigint[]; d bigint[];  -- the nodes of each item's path, leaf to root
    templates jsonb[];
    template_of bigint[];
    accepted boolean[];
    is_tight boolean;
BEGIN
    -- 1. The gate: keys that are at work elsewhere or known already, and items that are no reservation at all.
    SELECT array_agg(t.i ORDER BY t.i), coalesce(array_agg(t.i) FILTER (WHERE NOT t.is_ours), '{}')
    INTO items, dropped
    FROM (
        SELECT u.i::integer AS i, row_number() OVER (PARTITION BY u.caller, u.key ORDER BY u.i) = 1
            AND pg_try_advisory_xact_lock(hashtextextended(u.caller || E'\x1f' || u.key, 11)) AS is_ours
        FROM unnest(callers, keys) WITH ORDINALITY u (caller, key, i)
    ) t;
    IF cardinality(dropped) > 0 THEN
        RETURN QUERY SELECT dropped, '{"outcome": "busy"}'::jsonb;
    END IF;
    RETURN QUERY
        SELECT ARRAY[u.i], CASE WHEN known.fingerprint = u.fingerprint
            THEN limit_told(known) || '{"replayed": true}' ELSE '{"outcome": "key_reused"}' END
        FROM unnest(items, callers, keys, fingerprints) u (i, caller, key, fingerprint)
        JOIN limits_idempotencykey known ON known.caller = u.caller AND known.key = u.key
        WHERE NOT u.i = ANY(dropped);
    IF FOUND THEN
        dropped := dropped || ARRAY(
            SELECT u.i FROM unnest(items, callers, keys) u (i, caller, key)
            JOIN limits_idempotencykey known ON known.caller = u.caller AND known.key = u.key);
    END IF;
    RETURN QUERY
        SELECT ARRAY[u.i], jsonb_build_object('outcome', 'invalid', 'code', CASE
            WHEN u.amount IS NULL OR u.amount <= 0 THEN 'AMOUNT_NOT_POSITIVE'
            WHEN u.expires IS NULL OR u.expires <= clock_timestamp() THEN 'EXPIRY_PAST' ELSE 'FACILITY_UNKNOWN' END)
        FROM unnest(items, facilities, amounts, expiries) u (i, facility, amount, expires)
        LEFT JOIN limits_node n ON n.id = u.facility
        WHERE (u.amount IS NULL OR u.amount <= 0 OR u.expires IS NULL OR u.expires <= clock_timestamp() OR n.id IS NULL)
            AND NOT u.i = ANY(dropped);
    IF FOUND OR cardinality(dropped) > 0 THEN
        SELECT array_agg(u.i), array_agg(u.caller), array_agg(u.key), array_agg(u.fingerprint), array_agg(u.hold),
            array_agg(u.facility), array_agg(u.amount), array_agg(u.expires), array_agg(u.actor)
        INTO items, callers, keys, fingerprints, holds, facilities, amounts, expiries, actors
        FROM unnest(items, callers, keys, fingerprints, holds, facilities, amounts, expiries, actors)
            u (i, caller, key, fingerprint, hold, facility, amount, expires, actor)
        JOIN limits_node n ON n.id = u.facility
        WHERE u.amount > 0 AND u.expires > clock_timestamp() AND NOT u.i = ANY(dropped);
    END IF;
    IF items IS NULL THEN
        RETURN;
    END IF;

    -- 2. The locks, then the paths as they are now.
    PERFORM n.id FROM limit_lock_tree(ARRAY(SELECT DISTINCT f FROM unnest(facilities) f)) n;
    SELECT array_agg(n0.id ORDER BY t.o), array_agg(n1.id ORDER BY t.o), array_agg(n2.id ORDER BY t.o),
        array_agg(n3.id ORDER BY t.o)
    INTO a, b, c, d
    FROM unnest(facilities) WITH ORDINALITY t (facility, o)
    JOIN limits_node n0 ON n0.id = t.facility
    LEFT JOIN limits_node n1 ON n1.id = n0.parent_id
    LEFT JOIN limits_node n2 ON n2.id = n1.parent_id
    LEFT JOIN limits_node n3 ON n3.id = n2.parent_id;

    -- 3. The decision: all together when there is room for all, else one after the other.
    SELECT coalesce(bool_or(limit_objection(n, asked.total::bigint, on_date) IS NOT NULL), false) INTO is_tight
    FROM (
        SELECT x.node, least(sum(p.amount), 9e18) AS total
        FROM unnest(amounts, a, b, c, d) p (amount, a, b, c, d), LATERAL unnest(ARRAY[p.a, p.b, p.c, p.d]) x (node)
        WHERE x.node IS NOT NULL GROUP BY x.node
    ) asked JOIN limits_node n ON n.id = asked.node;
    SELECT array_agg(f.leaf), array_agg(jsonb_build_object(
        'outcome', 'accepted', 'path', '[]'::jsonb, 'refusals', '[]'::jsonb, 'effective_available_fen', f.free,
        'binding', CASE WHEN f.node IS NOT NULL THEN jsonb_build_object('node', f.node, 'kind', f.kind, 'name', f.name,
            'article', f.article, 'status', f.status, 'cap_fen', f.cap_fen, 'used_fen', f.used_fen,
            'available_fen', f.free) END))
    INTO template_of, templates
    FROM (
        SELECT DISTINCT ON (p.a) p.a AS leaf, n.id AS node, n.kind, n.name, n.article, n.status, n.cap_fen, n.used_fen,
            n.cap_fen - n.used_fen AS free
        FROM (SELECT DISTINCT q.a, q.b, q.c, q.d FROM unnest(a, b, c, d) q (a, b, c, d)) p
        LEFT JOIN limits_node n ON n.id = ANY(ARRAY[p.a, p.b, p.c, p.d]) AND n.cap_fen IS NOT NULL
        ORDER BY p.a, n.cap_fen - n.used_fen, array_position(ARRAY[p.a, p.b, p.c, p.d], n.id)
    ) f;
    IF is_tight THEN
        accepted := limit_decide_in_turn(amounts, a, b, c, d, on_date);
        RETURN QUERY SELECT * FROM limit_refuse_in_turn(items, callers, keys, fingerprints, facilities, amounts, a, b, c, d,
            accepted, on_date);
        SELECT array_agg(u.i), array_agg(u.caller), array_agg(u.key), array_agg(u.fingerprint), array_agg(u.hold),
            array_agg(u.facility), array_agg(u.amount), array_agg(u.expires), array_agg(u.actor), array_agg(u.a),
            array_agg(u.b), array_agg(u.c), array_agg(u.d)
        INTO items, callers, keys, fingerprints, holds, facilities, amounts, expiries, actors, a, b, c, d
        FROM unnest(items, callers, keys, fingerprints, holds, facilities, amounts, expiries, actors, a, b, c, d, accepted)
            u (i, caller, key, fingerprint, hold, facility, amount, expires, actor, a, b, c, d, is_accepted)
        WHERE u.is_accepted;
        IF items IS NULL THEN
            RETURN;
        END IF;
    END IF;

    -- 4. One write of each table.
    RETURN QUERY
        WITH kept AS (
            INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, hold_id, asked_fen, recorded_at)
            SELECT u.caller, u.key, u.fingerprint, t.template, u.hold, u.amount, clock_timestamp()
            FROM unnest(callers, keys, fingerprints, holds, facilities, amounts)
                u (caller, key, fingerprint, hold, facility, amount)
            JOIN unnest(template_of, templates) t (leaf, template) ON t.leaf = u.facility
        )
        SELECT same.items, t.template
        FROM (SELECT u.facility, array_agg(u.i) AS items FROM unnest(items, facilities) u (i, facility) GROUP BY 1) same
        JOIN unnest(template_of, templates) t (leaf, template) ON t.leaf = same.facility;
    INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, cover_fen, currency, original_posted,
        original_balance, state, business_date, expires_at, maker_id, created_at)
    SELECT u.hold, u.facility, u.amount, 0, 0, 0, 'CNY', 0, 0, 'PENDING', on_date, u.expires, u.actor, clock_timestamp()
    FROM unnest(holds, facilities, amounts, expiries, actors) u (hold, facility, amount, expires, actor);
    INSERT INTO limits_movement (operation, hold_id, node_id, level, pending_fen, posted_fen, consumed_fen,
        earmarked_fen, cover_fen, business_date, recorded_at, is_late, cause, actor_id)
    SELECT 'RESERVE', p.hold, x.node, x.level - 1, p.amount, 0, 0, 0, 0, on_date, clock_timestamp(),
        coalesce(on_date <= n.closed_through_date, false), '', p.actor
    FROM unnest(holds, amounts, actors, a, b, c, d) p (hold, amount, actor, a, b, c, d),
        LATERAL unnest(ARRAY[p.a, p.b, p.c, p.d]) WITH ORDINALITY x (node, level)
    JOIN limits_node n ON n.id = x.node;
    UPDATE limits_node n SET pending_fen = n.pending_fen + added.total
    FROM (
        SELECT x.node, sum(p.amount)::bigint AS total
        FROM unnest(amounts, a, b, c, d) p (amount, a, b, c, d), LATERAL unnest(ARRAY[p.a, p.b, p.c, p.d]) x (node)
        WHERE x.node IS NOT NULL GROUP BY x.node
    ) added WHERE n.id = added.node;
END $$;

-- Near a cap: one item after the other in memory, first come first served; nothing is written here.
CREATE OR REPLACE FUNCTION limit_decide_in_turn(
    amounts bigint[], a bigint[], b bigint[], c bigint[], d bigint[], on_date date)
RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    room bigint[];  -- what is left of each node, NULL without a cap, -1 where nothing is taken
    accepted boolean[];
    places record;
    fits boolean;
BEGIN
    SELECT array_agg(n.id ORDER BY n.id), array_agg(CASE
        WHEN coalesce(limit_objection(n, 0, on_date), 'LIMIT_EXCEEDED') <> 'LIMIT_EXCEEDED' THEN -1
        ELSE n.cap_fen - n.used_fen END ORDER BY n.id)
    INTO ids, room FROM limits_node n WHERE n.id = ANY(a || b || c || d);
    FOR places IN
        SELECT u.amount, array_position(ids, u.a) AS a, array_position(ids, u.b) AS b, array_position(ids, u.c) AS c,
            array_position(ids, u.d) AS d
        FROM unnest(amounts, a, b, c, d) u (amount, a, b, c, d)
    LOOP
        fits := coalesce(room[places.a] >= places.amount, true) AND coalesce(room[places.b] >= places.amount, true)
            AND coalesce(room[places.c] >= places.amount, true) AND coalesce(room[places.d] >= places.amount, true);
        IF fits THEN
            room[places.a] := room[places.a] - places.amount;
            IF places.b IS NOT NULL THEN room[places.b] := room[places.b] - places.amount; END IF;
            IF places.c IS NOT NULL THEN room[places.c] := room[places.c] - places.amount; END IF;
            IF places.d IS NOT NULL THEN room[places.d] := room[places.d] - places.amount; END IF;
        END IF;
        accepted := accepted || fits;
    END LOOP;
    RETURN accepted;
END $$;

-- Answer the refused items as each found its path, with what the accepted ones before it had taken, and remember it.
CREATE OR REPLACE FUNCTION limit_refuse_in_turn(
    items integer[], callers text[], keys text[], fingerprints text[], facilities bigint[], amounts bigint[], a bigint[],
    b bigint[], c bigint[], d bigint[], accepted boolean[], on_date date) RETURNS TABLE (told integer[], answer jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    turn record;
    path limits_node[];
    node limits_node;
    taken jsonb := '{}';  -- what this batch took so far, by node
    known_path bigint;
    reply jsonb;
    step bigint;
BEGIN
    FOR turn IN SELECT * FROM unnest(items, callers, keys, fingerprints, facilities, amounts, a, b, c, d, accepted)
        u (i, caller, key, fingerprint, facility, amount, a, b, c, d, is_accepted)
    LOOP
        IF turn.is_accepted THEN
            known_path := NULL;
            FOREACH step IN ARRAY ARRAY[turn.a, turn.b, turn.c, turn.d] LOOP
                CONTINUE WHEN step IS NULL;
                taken := taken || jsonb_build_object(step, coalesce((taken ->> step::text)::bigint, 0) + turn.amount);
            END LOOP;
            CONTINUE;
        END IF;
        IF known_path IS DISTINCT FROM turn.facility THEN
            path := '{}';
            FOREACH step IN ARRAY ARRAY[turn.a, turn.b, turn.c, turn.d] LOOP
                CONTINUE WHEN step IS NULL;
                SELECT * INTO node FROM limits_node n WHERE n.id = step;
                node.used_fen := node.used_fen + coalesce((taken ->> step::text)::bigint, 0);
                path := path || node;
            END LOOP;
            known_path := turn.facility;
        END IF;
        reply := limit_judge(path, turn.amount, on_date);
        INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)
        VALUES (turn.caller, turn.key, turn.fingerprint, reply, clock_timestamp());
        told := ARRAY[turn.i];
        answer := reply;
        RETURN NEXT;
    END LOOP;
END $$;
