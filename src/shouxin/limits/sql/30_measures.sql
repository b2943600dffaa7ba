-- Cash cover with its shares, and exchange rates by version. Cover rows are locked by id after holds and before nodes.

CREATE OR REPLACE FUNCTION limit_convert(original bigint, money text, on_date date, OUT base_fen bigint, OUT rate_set bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_rate numeric;
BEGIN
    SELECT q.rate, s.id INTO found_rate, rate_set FROM limits_rateset s JOIN limits_ratequote q ON q.rate_set_id = s.id
    WHERE q.currency = money AND s.business_date <= on_date ORDER BY s.business_date DESC, s.version DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no rate of % on %', money, on_date USING ERRCODE = 'no_data_found';
    END IF;
    base_fen := round(original * found_rate);
END $$;

-- Lock the mitigants that a new hold wants and add up their shares; NULL when one has not enough left.
CREATE OR REPLACE FUNCTION limit_take_cover(covers jsonb, on_date date) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    wanted record;
    found_mitigant limits_mitigant;
    total bigint := 0;
BEGIN
    FOR wanted IN SELECT (c ->> 'mitigant')::bigint AS id, (c ->> 'share')::bigint AS share
        FROM jsonb_array_elements(covers) c ORDER BY 1
    LOOP
        SELECT * INTO found_mitigant FROM limits_mitigant m WHERE m.id = wanted.id FOR UPDATE;
        IF NOT FOUND OR wanted.share <= 0 OR wanted.share > found_mitigant.eligible_fen - found_mitigant.shared_fen
            OR on_date < found_mitigant.valid_from OR on_date >= coalesce(found_mitigant.valid_to, 'infinity') THEN
            RETURN NULL;
        END IF;
        total := total + wanted.share;
    END LOOP;
    RETURN total;
END $$;

CREATE OR REPLACE FUNCTION limit_write_cover(covers jsonb, hold uuid) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO limits_mitigantlink (mitigant_id, hold_id, share_fen)
    SELECT (c ->> 'mitigant')::bigint, hold, (c ->> 'share')::bigint FROM jsonb_array_elements(covers) c;
    UPDATE limits_mitigant m SET shared_fen = m.shared_fen + (c ->> 'share')::bigint
    FROM jsonb_array_elements(covers) c WHERE m.id = (c ->> 'mitigant')::bigint;
$$;

CREATE OR REPLACE FUNCTION limit_lock_cover(holds uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM m.id FROM limits_mitigant m WHERE m.id IN (
        SELECT l.mitigant_id FROM limits_mitigantlink l WHERE l.hold_id = ANY(holds) AND l.share_fen > 0)
    ORDER BY m.id FOR UPDATE;
END $$;

-- Lower the shares of a locked hold by an amount, the last link first; the mitigants get it back.
CREATE OR REPLACE FUNCTION limit_give_back_cover(hold uuid, amount bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    link limits_mitigantlink;
    part bigint;
    left_over bigint := amount;
BEGIN
    PERFORM limit_lock_cover(ARRAY[hold]);
    FOR link IN SELECT * FROM limits_mitigantlink l WHERE l.hold_id = hold AND l.share_fen > 0 ORDER BY l.id DESC LOOP
        part := least(link.share_fen, left_over);
        UPDATE limits_mitigantlink SET share_fen = share_fen - part WHERE id = link.id;
        UPDATE limits_mitigant SET shared_fen = shared_fen - part WHERE id = link.mitigant_id;
        left_over := left_over - part;
        EXIT WHEN left_over = 0;
    END LOOP;
END $$;

-- A mitigant is worth another amount, or nothing any more: shares above it are taken off, the newest first. The net
-- measure rises by that; it never fails, it may open an excess (I13).
CREATE OR REPLACE FUNCTION limit_set_cover(
    target bigint, new_value bigint, new_eligible bigint, on_date date, why text, actor bigint, cure_by date)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    found_mitigant limits_mitigant;
    holds uuid[];
    link record;
    part bigint;
    too_much bigint;
    over bigint := 0;
BEGIN
    holds := ARRAY(SELECT l.hold_id FROM limits_mitigantlink l WHERE l.mitigant_id = target AND l.share_fen > 0 ORDER BY 1);
    PERFORM h.id FROM limits_hold h WHERE h.id = ANY(holds) ORDER BY h.id FOR UPDATE;
    SELECT * INTO found_mitigant FROM limits_mitigant m WHERE m.id = target FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'mitigant % does not exist', target USING ERRCODE = 'no_data_found';
    ELSIF EXISTS (SELECT 1 FROM limits_mitigantlink l WHERE l.mitigant_id = target AND l.share_fen > 0
            AND NOT l.hold_id = ANY(holds)) THEN
        RAISE EXCEPTION 'mitigant % was linked to another hold meanwhile', target USING ERRCODE = 'serialization_failure';
    END IF;
    PERFORM n.id FROM limit_lock_tree(ARRAY(SELECT h.facility_id FROM limits_hold h WHERE h.id = ANY(holds))) n;
    too_much := greatest(found_mitigant.shared_fen - new_eligible, 0);
    UPDATE limits_mitigant SET shared_fen = shared_fen - too_much, value_fen = new_value, eligible_fen = new_eligible
    WHERE id = target;
    FOR link IN SELECT l.id, l.share_fen, h.id AS hold, h.facility_id FROM limits_mitigantlink l
        JOIN limits_hold h ON h.id = l.hold_id WHERE l.mitigant_id = target AND l.share_fen > 0 ORDER BY l.id DESC
    LOOP
        EXIT WHEN too_much = 0;
        part := least(link.share_fen, too_much);
        too_much := too_much - part;
        UPDATE limits_mitigantlink SET share_fen = share_fen - part WHERE id = link.id;
        UPDATE limits_hold SET cover_fen = cover_fen - part WHERE id = link.hold;
        over := greatest(over, limit_shift(ARRAY(SELECT n FROM limit_lock_path(link.facility_id) n), 'MITIGANT',
            link.hold, 0, 0, 0, 0, -part, on_date, why, actor, 'MITIGANT', cure_by));
    END LOOP;
    RETURN jsonb_build_object('outcome', 'accepted', 'excess_fen', over);
END $$;

-- Let a share of a mitigant cover a hold that stands already.
CREATE OR REPLACE FUNCTION limit_link_cover(hold uuid, target bigint, share bigint, on_date date, actor bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
    found_mitigant limits_mitigant;
    outstanding bigint := CASE held.state WHEN 'PENDING' THEN held.amount_fen WHEN 'POSTED' THEN held.balance_fen ELSE 0 END;
BEGIN
    SELECT * INTO found_mitigant FROM limits_mitigant m WHERE m.id = target FOR UPDATE;
    IF NOT FOUND OR share <= 0 OR share > found_mitigant.eligible_fen - found_mitigant.shared_fen
        OR share > outstanding - held.cover_fen
        OR on_date < found_mitigant.valid_from OR on_date >= coalesce(found_mitigant.valid_to, 'infinity') THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'COVER_NOT_AVAILABLE');
    END IF;
    UPDATE limits_mitigant SET shared_fen = shared_fen + share WHERE id = target;
    INSERT INTO limits_mitigantlink (mitigant_id, hold_id, share_fen) VALUES (target, hold, share)
    ON CONFLICT (mitigant_id, hold_id) DO UPDATE SET share_fen = limits_mitigantlink.share_fen + EXCLUDED.share_fen;
    UPDATE limits_hold SET cover_fen = cover_fen + share WHERE id = hold;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), 'MITIGANT', hold, 0, 0, 0, 0, share,
        on_date, found_mitigant.name, actor);
    RETURN jsonb_build_object('outcome', 'accepted');
END $$;

-- Carry a hold at another rate set: the difference is a movement that may open an excess and is never refused.
-- What a non-revolving line has consumed stays at the rate of its booking.
CREATE OR REPLACE FUNCTION limit_revalue(hold uuid, on_date date, cure_by date) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
    outstanding bigint := CASE held.state WHEN 'PENDING' THEN held.original_amount ELSE held.original_balance END;
    new_base bigint;
    rates bigint;
    delta bigint;
    cover bigint;
    over bigint := 0;
BEGIN
    IF held.original_amount IS NULL OR NOT held.state IN ('PENDING', 'POSTED') THEN
        RETURN jsonb_build_object('outcome', 'accepted', 'delta_fen', 0, 'excess_fen', 0);
    END IF;
    SELECT c.base_fen, c.rate_set INTO new_base, rates FROM limit_convert(outstanding, held.currency, on_date) c;
    delta := new_base - CASE held.state WHEN 'PENDING' THEN held.amount_fen ELSE held.balance_fen END;
    cover := least(held.cover_fen, new_base);
    IF cover < held.cover_fen THEN
        PERFORM limit_give_back_cover(hold, held.cover_fen - cover);
    END IF;
    UPDATE limits_hold SET rate_set_id = rates, cover_fen = cover,
        amount_fen = CASE state WHEN 'PENDING' THEN new_base ELSE amount_fen END,
        balance_fen = CASE state WHEN 'POSTED' THEN new_base ELSE balance_fen END
    WHERE id = hold;
    IF delta <> 0 THEN
        over := limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), 'FX_REVAL', hold,
            CASE held.state WHEN 'PENDING' THEN delta ELSE 0 END, CASE held.state WHEN 'POSTED' THEN delta ELSE 0 END,
            0, 0, cover - held.cover_fen, on_date, held.currency, NULL, 'FX_REVAL', cure_by);
    END IF;
    RETURN jsonb_build_object('outcome', 'accepted', 'delta_fen', delta, 'excess_fen', over);
END $$;
