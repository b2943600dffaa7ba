-- The life of a hold: reserve, then one of post, void or expire (I5); what was posted is released bit by bit, or
-- reversed when it was an error. Amounts of a hold in a foreign currency are hundredths of its unit, the counters 分.

-- What an earlier call with this key was told, NULL for a new key. Callers with one key come one after the other.
CREATE OR REPLACE FUNCTION limit_remembered(caller text, key text, fingerprint text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    known limits_idempotencykey;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(caller || E'\x1f' || key, 11));
    SELECT * INTO known FROM limits_idempotencykey i
    WHERE i.caller = limit_remembered.caller AND i.key = limit_remembered.key;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF known.fingerprint <> limit_remembered.fingerprint THEN
        RETURN jsonb_build_object('outcome', 'key_reused');
    END IF;
    RETURN limit_told(known) || jsonb_build_object('replayed', true);
END $$;

-- The answer that was given to a key. A batch keeps one text for all it accepted on a facility, and each one's own
-- hold and amount beside it.
CREATE OR REPLACE FUNCTION limit_told(known limits_idempotencykey) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN known.hold_id IS NULL THEN known.answer
        ELSE known.answer || jsonb_build_object('asked_fen', known.asked_fen, 'hold', known.hold_id) END
$$;

CREATE OR REPLACE FUNCTION limit_reserve(
    caller text, key text, fingerprint text, hold uuid, facility bigint, amount bigint, on_date date,
    expires timestamptz, actor bigint, options jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    reply jsonb;
    path limits_node[];
    base bigint := amount;
    cover bigint := 0;
    money text := coalesce(options ->> 'currency', 'CNY');
    original bigint;
    rates bigint;
    permit limits_override;
    covers jsonb := options -> 'covers';
BEGIN
    IF amount IS NULL OR amount <= 0 THEN
        RAISE EXCEPTION 'a reservation must be above 0, got %', amount USING ERRCODE = 'check_violation';
    END IF;
    IF expires <= clock_timestamp() THEN
        RAISE EXCEPTION 'the reservation would expire at %, which is past', expires USING ERRCODE = 'check_violation';
    END IF;
    reply := limit_remembered(caller, key, fingerprint);
    IF reply IS NOT NULL THEN
        RETURN reply;
    END IF;
    IF money <> 'CNY' THEN
        original := amount;
        SELECT c.base_fen, c.rate_set INTO base, rates FROM limit_convert(amount, money, on_date) c;
    END IF;
    IF options ? 'override' THEN
        SELECT * INTO permit FROM limits_override o WHERE o.token = (options ->> 'override')::uuid FOR UPDATE;
    END IF;
    IF covers IS NOT NULL THEN
        cover := limit_take_cover(covers, on_date);
    END IF;
    IF options ? 'may_borrow' THEN
        BEGIN
            path := limit_borrow(facility, base, on_date, actor, cover);
            reply := limit_judge(path, base, on_date, least(cover, base), permit.token IS NOT NULL);
            IF reply ->> 'outcome' <> 'accepted' THEN
                RAISE EXCEPTION 'borrowing does not help' USING ERRCODE = 'LM001';
            END IF;
        EXCEPTION WHEN SQLSTATE 'LM001' THEN
            reply := NULL;  -- what was borrowed is undone
        END;
    END IF;
    IF reply IS NULL THEN
        path := ARRAY(SELECT n FROM limit_lock_path(facility) n);
        reply := limit_judge(path, base, on_date, least(cover, base), permit.token IS NOT NULL);
    END IF;
    IF cover IS NULL OR cover > base THEN
        reply := limit_also_refuse(reply, path[1], 'COVER_NOT_AVAILABLE', base);
    END IF;
    IF options ? 'override' AND NOT coalesce(permit.facility_id = facility AND permit.used_at IS NULL
            AND permit.expires_at > clock_timestamp() AND base <= permit.amount_fen, false) THEN
        reply := limit_also_refuse(reply, path[1], 'OVERRIDE_NOT_VALID', base);
    END IF;
    IF reply ->> 'outcome' = 'accepted' THEN
        INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, cover_fen, currency,
            original_amount, original_posted, original_balance, rate_set_id, state, business_date, expires_at, maker_id,
            created_at)
        VALUES (hold, facility, base, 0, 0, cover, money, original, 0, 0, rates, 'PENDING', on_date, expires, actor,
            clock_timestamp());
        IF covers IS NOT NULL THEN
            PERFORM limit_write_cover(covers, hold);
        END IF;
        PERFORM limit_shift(path, 'RESERVE', hold, base, 0, 0, 0, cover, on_date, coalesce(permit.reason, ''), actor,
            CASE WHEN permit.token IS NOT NULL THEN 'OVERRIDE' END, permit.cure_by_date);
        IF permit.token IS NOT NULL THEN
            UPDATE limits_override SET used_at = clock_timestamp(), hold_id = hold WHERE token = permit.token;
        END IF;
        reply := reply || jsonb_build_object('hold', hold);
    END IF;
    INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)
    VALUES (caller, key, fingerprint, reply, clock_timestamp());
    RETURN reply;
END $$;

CREATE OR REPLACE FUNCTION limit_also_refuse(reply jsonb, node limits_node, code text, asked bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT reply || jsonb_build_object(
        'outcome', 'refused', 'refusals', (reply -> 'refusals') || limit_refusal(node, code, asked, 0))
$$;

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
    most bigint := coalesce(held.original_amount, held.amount_fen);
    base bigint;
    cover bigint;
BEGIN
    IF held.state <> 'PENDING' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    ELSIF held.expires_at <= clock_timestamp() THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_EXPIRED');
    ELSIF amount <= 0 OR amount > most THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'POST_OUTSIDE_HOLD', 'held_fen', most);
    END IF;
    base := limit_share(held.amount_fen, amount, most);
    cover := least(held.cover_fen, base);
    PERFORM limit_lock_cover(ARRAY[hold]);
    path := ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n);
    FOREACH node IN ARRAY path LOOP
        IF node.status = 'FROZEN' THEN
            RETURN jsonb_build_object('outcome', 'refused', 'code', 'LIMIT_FROZEN', 'name', node.name);
        END IF;
    END LOOP;
    IF cover < held.cover_fen THEN
        PERFORM limit_give_back_cover(hold, held.cover_fen - cover);
    END IF;
    UPDATE limits_hold SET state = 'POSTED', posted_fen = base, balance_fen = base, cover_fen = cover,
        original_posted = CASE WHEN original_amount IS NULL THEN 0 ELSE amount END,
        original_balance = CASE WHEN original_amount IS NULL THEN 0 ELSE amount END, closed_at = clock_timestamp()
    WHERE id = hold;
    PERFORM limit_shift(path, 'POST', hold, -held.amount_fen, base, base, 0, cover - held.cover_fen, on_date, '', actor);
    RETURN jsonb_build_object('outcome', 'accepted', 'posted_fen', base);
END $$;

-- The part of a base amount that belongs to a part of the original; the whole of it exactly at the end.
CREATE OR REPLACE FUNCTION limit_share(base bigint, part bigint, whole bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN part = whole THEN base WHEN base = whole THEN part
        ELSE round(base::numeric * part / whole)::bigint END
$$;

-- Give a pending reservation back; never refused for a limit or a freeze (I6).
CREATE OR REPLACE FUNCTION limit_end_hold(held limits_hold, becomes text, operation text, on_date date, why text,
    actor bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE limits_hold SET state = becomes, cover_fen = 0, closed_at = clock_timestamp() WHERE id = held.id;
    IF held.cover_fen > 0 THEN
        PERFORM limit_give_back_cover(held.id, held.cover_fen);
    END IF;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), operation, held.id, -held.amount_fen,
        0, 0, 0, -held.cover_fen, on_date, why, actor);
END $$;

CREATE OR REPLACE FUNCTION limit_void(hold uuid, on_date date, why text, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
BEGIN
    IF held.state <> 'PENDING' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    END IF;
    PERFORM limit_end_hold(held, 'VOIDED', 'VOID', on_date, why, actor);
    RETURN jsonb_build_object('outcome', 'accepted');
END $$;

CREATE OR REPLACE FUNCTION limit_expire(hold uuid, on_date date) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
BEGIN
    IF held.state <> 'PENDING' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    ELSIF held.expires_at > clock_timestamp() THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_NOT_EXPIRED');
    END IF;
    PERFORM limit_end_hold(held, 'EXPIRED', 'EXPIRE', on_date, '', NULL);
    RETURN jsonb_build_object('outcome', 'accepted');
END $$;

-- The sweeper's step: end up to ``most`` reservations whose time is over; holds at work elsewhere are left for later.
CREATE OR REPLACE FUNCTION limit_expire_due(on_date date, most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold;
    due limits_hold[];
BEGIN
    due := ARRAY(SELECT h FROM limits_hold h WHERE h.state = 'PENDING' AND h.expires_at <= clock_timestamp()
        ORDER BY h.id LIMIT most FOR UPDATE SKIP LOCKED);
    PERFORM limit_lock_cover(ARRAY(SELECT h.id FROM unnest(due) h));
    PERFORM n.id FROM limit_lock_tree(ARRAY(SELECT h.facility_id FROM unnest(due) h)) n;
    FOREACH held IN ARRAY due LOOP
        PERFORM limit_end_hold(held, 'EXPIRED', 'EXPIRE', on_date, '', NULL);
    END LOOP;
    RETURN cardinality(due);
END $$;

-- A repayment: part or all of a booking comes back. Never refused for a limit or a freeze (I6).
CREATE OR REPLACE FUNCTION limit_release(hold uuid, amount bigint, on_date date, why text, actor bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
    most bigint := CASE WHEN held.original_amount IS NULL THEN held.balance_fen ELSE held.original_balance END;
    base bigint;
    cover bigint;
BEGIN
    IF held.state <> 'POSTED' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    ELSIF amount <= 0 OR amount > most THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'RELEASE_ABOVE_BALANCE', 'balance_fen', most);
    END IF;
    base := limit_share(held.balance_fen, amount, most);
    cover := least(held.cover_fen, held.balance_fen - base);
    UPDATE limits_hold SET balance_fen = balance_fen - base, cover_fen = cover,
        original_balance = original_balance - CASE WHEN original_amount IS NULL THEN 0 ELSE amount END
    WHERE id = hold;
    IF cover < held.cover_fen THEN
        PERFORM limit_give_back_cover(hold, held.cover_fen - cover);
    END IF;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), 'RELEASE', hold, 0, -base, 0, 0,
        cover - held.cover_fen, on_date, why, actor);
    RETURN jsonb_build_object('outcome', 'accepted', 'balance_fen', held.balance_fen - base);
END $$;

-- Take a booking back that was an error: asked for by one person, authorised by another; the only act that lets
-- the consumed part of a non-revolving line fall (I7). Everything else stays as it was.
CREATE OR REPLACE FUNCTION limit_reverse(hold uuid, on_date date, why text, maker bigint, checker bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    held limits_hold := limit_hold_locked(hold);
BEGIN
    IF held.reversed_at IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_REVERSED');
    ELSIF held.state <> 'POSTED' THEN
        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);
    END IF;
    INSERT INTO limits_reversal (hold_id, amount_fen, reason, maker_id, checker_id, recorded_at)
    VALUES (hold, held.balance_fen, why, maker, checker, clock_timestamp());
    UPDATE limits_hold SET balance_fen = 0, original_balance = 0, cover_fen = 0, reversed_at = clock_timestamp()
    WHERE id = hold;
    IF held.cover_fen > 0 THEN
        PERFORM limit_give_back_cover(hold, held.cover_fen);
    END IF;
    PERFORM limit_shift(ARRAY(SELECT n FROM limit_lock_path(held.facility_id) n), 'REVERSE', hold, 0,
        -held.balance_fen, -held.posted_fen, 0, -held.cover_fen, on_date, why, checker);
    RETURN jsonb_build_object('outcome', 'accepted', 'reversed_fen', held.balance_fen);
END $$;
