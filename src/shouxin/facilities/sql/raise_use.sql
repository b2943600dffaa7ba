-- A booking grows without anybody asking for it: cover was withdrawn or lost. It is recorded whatever the caps, freezes
-- and periods say; a node that ends above its cap gets an open excess of cause MITIGANT and takes no new drawing until
-- it is cured. With hold NULL a posted hold is made for a deal that used nothing before. Locks leaf → root as reserve.
CREATE OR REPLACE FUNCTION facility_raise_use(
    hold uuid, new_hold uuid, facility bigint, amount bigint, on_date date, why text, cause text, actor bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    target uuid := coalesce(hold, new_hold);
    leaf bigint := facility;
    held limits_hold;
    path limits_node[];
    node limits_node;
    over bigint := 0;
BEGIN
    IF amount <= 0 THEN
        RAISE EXCEPTION 'use can only be raised by a positive amount, got %', amount USING ERRCODE = 'check_violation';
    END IF;
    IF hold IS NOT NULL THEN
        held := limit_hold_locked(hold);
        IF held.state <> 'POSTED' THEN
            RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
        END IF;
        leaf := held.facility_id;
    END IF;
    path := ARRAY(SELECT n FROM limit_lock_path(leaf) n);
    IF hold IS NULL THEN
        INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, state, business_date, expires_at,
            maker_id, created_at, closed_at)
        VALUES (new_hold, leaf, amount, amount, amount, 'POSTED', on_date, clock_timestamp(), actor, clock_timestamp(),
            clock_timestamp());
    ELSE
        UPDATE limits_hold SET amount_fen = amount_fen + amount, posted_fen = posted_fen + amount,
            balance_fen = balance_fen + amount WHERE id = hold;
    END IF;
    FOREACH node IN ARRAY path LOOP
        IF node.cap_fen IS NOT NULL AND node.used_fen + amount > node.cap_fen THEN
            UPDATE limits_node SET excess_cause = coalesce(excess_cause, cause) WHERE id = node.id;
        END IF;
    END LOOP;
    PERFORM limit_shift(path, cause, target, 0, amount, amount, on_date, why, actor);
    FOREACH node IN ARRAY path LOOP
        over := over + coalesce(limit_mark_excess(node.id, cause, actor, NULL), 0);
    END LOOP;
    RETURN jsonb_build_object('outcome', 'accepted', 'hold', target, 'excess_fen', over);
END $$;
