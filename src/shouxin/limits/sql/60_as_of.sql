-- What a node's counters were by business date, as known at an instant (I11). A snapshot holds the sums up to a
-- month's end of the movements recorded until it was taken; movements that come later for such a month are marked as
-- late when they are written, under the node's lock, so a question needs the snapshot, the days after it and those.

CREATE OR REPLACE FUNCTION limit_balance(
    target bigint, valid_at date, known_at timestamptz,
    OUT pending_fen bigint, OUT posted_fen bigint, OUT consumed_fen bigint, OUT earmarked_fen bigint, OUT cover_fen bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    base limits_snapshot;
BEGIN
    SELECT * INTO base FROM limits_snapshot s
    WHERE s.node_id = target AND s.month_end_date <= valid_at AND s.taken_at <= known_at
    ORDER BY s.month_end_date DESC LIMIT 1;
    IF NOT FOUND THEN
        SELECT coalesce(sum(m.pending_fen), 0), coalesce(sum(m.posted_fen), 0), coalesce(sum(m.consumed_fen), 0),
            coalesce(sum(m.earmarked_fen), 0), coalesce(sum(m.cover_fen), 0)
        INTO pending_fen, posted_fen, consumed_fen, earmarked_fen, cover_fen
        FROM limits_movement m WHERE m.node_id = target AND m.business_date <= valid_at AND m.recorded_at <= known_at;
        RETURN;
    END IF;
    SELECT base.pending_fen + coalesce(sum(m.pending_fen), 0), base.posted_fen + coalesce(sum(m.posted_fen), 0),
        base.consumed_fen + coalesce(sum(m.consumed_fen), 0), base.earmarked_fen + coalesce(sum(m.earmarked_fen), 0),
        base.cover_fen + coalesce(sum(m.cover_fen), 0)
    INTO pending_fen, posted_fen, consumed_fen, earmarked_fen, cover_fen
    FROM (
        SELECT a.pending_fen, a.posted_fen, a.consumed_fen, a.earmarked_fen, a.cover_fen FROM limits_movement a
        WHERE a.node_id = target AND a.business_date > base.month_end_date AND a.business_date <= valid_at
            AND a.recorded_at <= known_at
        UNION ALL
        SELECT b.pending_fen, b.posted_fen, b.consumed_fen, b.earmarked_fen, b.cover_fen FROM limits_movement b
        WHERE b.node_id = target AND b.is_late AND b.seq > base.up_to_seq AND b.business_date <= base.month_end_date
            AND b.recorded_at <= known_at
    ) m;
END $$;

-- Close a month of one node; done once. Gives false when it was closed before.
CREATE OR REPLACE FUNCTION limit_close_month(target bigint, month_end date) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    sums record;
    last_seq bigint;
BEGIN
    PERFORM 1 FROM limits_node WHERE id = target FOR NO KEY UPDATE;
    IF EXISTS (SELECT 1 FROM limits_snapshot s WHERE s.node_id = target AND s.month_end_date >= month_end) THEN
        RETURN false;
    END IF;
    SELECT coalesce(max(seq), 0) INTO last_seq FROM limits_movement WHERE node_id = target;
    SELECT * INTO sums FROM limit_balance(target, month_end, 'infinity');
    INSERT INTO limits_snapshot (node_id, month_end_date, up_to_seq, taken_at, pending_fen, posted_fen, consumed_fen,
        earmarked_fen, cover_fen)
    VALUES (target, month_end, last_seq, clock_timestamp(), sums.pending_fen, sums.posted_fen, sums.consumed_fen,
        sums.earmarked_fen, sums.cover_fen);
    UPDATE limits_node SET closed_through_date = month_end WHERE id = target;
    RETURN true;
END $$;

-- The sums of all leaves by dimension at the end of a day. Nothing waits for it: it reads, then writes its own rows.
CREATE OR REPLACE FUNCTION limit_total_portfolio(on_date date) RETURNS integer
LANGUAGE sql AS $$
    WITH leaf AS MATERIALIZED (
        SELECT n.pending_fen, n.posted_fen, n.pending_fen + n.posted_fen - n.cover_fen AS net_fen, n.currency, n.product,
            u.name AS branch, p.industry, p.country, p.id AS party
        FROM limits_node n
        LEFT JOIN parties_customer c ON c.id = n.customer_id
        LEFT JOIN parties_party p ON p.id = c.party_id
        LEFT JOIN bank_orgunit u ON u.id = coalesce(n.booking_unit_id, c.unit_id)  -- the branch that booked the contract
        WHERE n.kind = 'FACILITY' AND (n.pending_fen <> 0 OR n.posted_fen <> 0)
    ), guaranteed AS (
        -- What each guarantor stands for: the debtor's net use, at most what was guaranteed.
        SELECT g.guarantor_id, least(sum(g.amount_fen), min(owed.pending_fen + owed.posted_fen)) AS stands_for,
            least(sum(g.amount_fen), min(owed.net_fen)) AS net_fen
        FROM groups_guarantee g JOIN (
            SELECT leaf.party, sum(leaf.pending_fen) AS pending_fen, sum(leaf.posted_fen) AS posted_fen,
                sum(leaf.net_fen) AS net_fen
            FROM leaf GROUP BY leaf.party
        ) owed ON owed.party = g.debtor_id
        WHERE coalesce(g.valid_from <= on_date, true) AND coalesce(g.valid_to > on_date, true)
        GROUP BY g.guarantor_id, g.debtor_id
    ), figure AS (
        SELECT d.dimension, d.value, leaf.pending_fen, leaf.posted_fen, leaf.net_fen
        FROM leaf, LATERAL (VALUES ('CURRENCY', leaf.currency::text), ('PRODUCT', leaf.product::text),
            ('BRANCH', leaf.branch::text), ('INDUSTRY', leaf.industry::text), ('COUNTRY', leaf.country::text)) d (dimension, value)
        UNION ALL
        SELECT 'GUARANTOR', p.name, 0, guaranteed.stands_for, guaranteed.net_fen
        FROM guaranteed JOIN parties_party p ON p.id = guaranteed.guarantor_id
    ), added AS (
        INSERT INTO limits_portfoliototal (dimension, value, business_date, pending_fen, posted_fen, net_fen, computed_at)
        SELECT figure.dimension, left(coalesce(nullif(figure.value, ''), '—'), 80), on_date, sum(figure.pending_fen),
            sum(figure.posted_fen), sum(figure.net_fen), clock_timestamp()
        FROM figure
        GROUP BY 1, 2
        ON CONFLICT (dimension, value, business_date) DO UPDATE SET pending_fen = EXCLUDED.pending_fen,
            posted_fen = EXCLUDED.posted_fen, net_fen = EXCLUDED.net_fen, computed_at = EXCLUDED.computed_at
        RETURNING 1
    ) SELECT count(*)::integer FROM added
$$;
