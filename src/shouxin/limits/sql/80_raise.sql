-- A booking grows without anybody asking for it: cover was withdrawn or lost. It is recorded whatever the caps, freezes
-- and periods say; a node that ends above its cap gets an open excess of cause MITIGANT and takes no new drawing until
-- it is cured. With hold NULL a posted hold is made for a deal that used nothing before. Locks hold, then leaf → root.
CREATE OR REPLACE FUNCTION limit_raise_use(
    hold uuid, new_hold uuid, facility bigint, amount bigint, on_date date, why text, cause text, actor bigint,
    cure_by date)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    target uuid := coalesce(hold, new_hold);
    leaf bigint := facility;
    held limits_hold;
    path limits_node[];
    over bigint;
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
        INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, cover_fen, currency,
            original_posted, original_balance, state, business_date, expires_at, maker_id, created_at, closed_at)
        VALUES (new_hold, leaf, amount, amount, amount, 0, 'CNY', 0, 0, 'POSTED', on_date, clock_timestamp(), actor,
            clock_timestamp(), clock_timestamp());
    ELSE
        UPDATE limits_hold SET amount_fen = amount_fen + amount, posted_fen = posted_fen + amount,
            balance_fen = balance_fen + amount WHERE id = hold;
    END IF;
    over := limit_shift(path, cause, target, 0, amount, amount, 0, 0, on_date, why, actor, cause, cure_by);
    RETURN jsonb_build_object('outcome', 'accepted', 'hold', target, 'excess_fen', over);
END $$;
