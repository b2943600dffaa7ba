-- Hang a customer under another group: exactly its own sums move (I12). The new group's cap need not suffice (I13).
-- The date may lie back: a discovery adds what is known from now on and never re-decides past acceptances.

CREATE OR REPLACE FUNCTION limit_place(member bigint, old_parent bigint, new_parent bigint, since date, why text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    known limits_placement;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM limits_placement p WHERE p.node_id = member AND upper_inf(p.recorded)) THEN
        INSERT INTO limits_placement (node_id, parent_id, valid, recorded, cause)
        VALUES (member, old_parent, daterange(NULL, NULL), tstzrange(NULL, moment), '');
        INSERT INTO limits_placement (node_id, parent_id, valid, recorded, cause)
        VALUES (member, old_parent, daterange(NULL, since), tstzrange(moment, NULL), '');
    ELSE
        FOR known IN SELECT * FROM limits_placement p
            WHERE p.node_id = member AND upper_inf(p.recorded) AND p.valid && daterange(since, NULL) ORDER BY p.id
        LOOP
            IF lower(known.recorded) >= moment THEN
                moment := lower(known.recorded) + interval '1 microsecond';
            END IF;
            UPDATE limits_placement SET recorded = tstzrange(lower(known.recorded), moment) WHERE id = known.id;
            IF known.valid * daterange(NULL, since) <> 'empty' THEN
                INSERT INTO limits_placement (node_id, parent_id, valid, recorded, cause)
                VALUES (member, known.parent_id, known.valid * daterange(NULL, since), tstzrange(moment, NULL), known.cause);
            END IF;
        END LOOP;
    END IF;
    INSERT INTO limits_placement (node_id, parent_id, valid, recorded, cause)
    VALUES (member, new_parent, daterange(since, NULL), tstzrange(moment, NULL), why);
END $$;

CREATE OR REPLACE FUNCTION limit_move_customer(
    member bigint, new_parent bigint, on_date date, why text, actor bigint, cure_by date DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moved limits_node;
    target limits_node;
    side bigint;
    sign integer;
    over bigint := 0;
BEGIN
    SELECT * INTO moved FROM limits_node WHERE id = member FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit node % does not exist', member USING ERRCODE = 'no_data_found';
    ELSIF moved.parent_id = new_parent THEN
        RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', 0);
    END IF;
    FOR side IN SELECT x FROM unnest(ARRAY[moved.parent_id, new_parent]) x ORDER BY x LOOP
        SELECT * INTO target FROM limits_node WHERE id = side AND kind = 'GROUP' FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'limit group % does not exist', side USING ERRCODE = 'no_data_found';
        END IF;
        sign := CASE WHEN side = new_parent THEN 1 ELSE -1 END;
        over := over + limit_shift(ARRAY[target], 'MOVE', NULL, sign * moved.pending_fen, sign * moved.posted_fen, 0,
            sign * moved.earmarked_fen, sign * moved.cover_fen, on_date, why, actor, 'MEMBERSHIP', cure_by);
    END LOOP;
    UPDATE limits_node SET parent_id = new_parent WHERE id = member;
    PERFORM limit_place(member, moved.parent_id, new_parent, on_date, why);
    RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', over);
END $$;
