-- Digests are of ids: a row is found by its digest, since an id may be too long for an index.
-- What has been removed leaves who removed it, with no E-tag, for an hour. Reminders are in 64
-- parts, by their slots.

CREATE SEQUENCE etag;

CREATE TABLE fence (
    slot integer PRIMARY KEY,
    epoch bigint NOT NULL
);

CREATE TABLE state (
    digest bytea PRIMARY KEY,
    id bytea NOT NULL,
    etag bigint,
    token bytea NOT NULL,
    value bytea,
    changed timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX state_removed ON state (changed) WHERE etag IS NULL;

CREATE TABLE journal (
    digest bytea PRIMARY KEY,
    id bytea NOT NULL,
    len bigint NOT NULL,
    token bytea NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE event (
    digest bytea,
    number bigint,
    value bytea NOT NULL,
    PRIMARY KEY (digest, number)
);

CREATE TABLE reminder (
    digest bytea PRIMARY KEY,
    id bytea NOT NULL,
    etag bigint,
    token bytea NOT NULL,
    due bigint,
    period bigint,
    catch_up smallint,
    changed timestamptz NOT NULL,
    part smallint NOT NULL
);
CREATE INDEX reminder_due ON reminder (part, due, digest) WHERE etag IS NOT NULL;
CREATE INDEX reminder_removed ON reminder (changed) WHERE etag IS NULL;

-- Outcomes: 0 done, 1 another E-tag, 2 shut out by the epoch `number`, 3 another length.
-- Expected E-tags: 0 none, -1 any.

-- The highest epoch of the slot, if it shuts this one out; raises it otherwise. Until the
-- transaction ends, nobody raises it who has not waited for that.
CREATE FUNCTION enter(p_slot integer, p_epoch bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_space integer := hashtext(current_schema());
    v_highest bigint;
BEGIN
    SELECT epoch INTO v_highest FROM fence WHERE slot = p_slot;
    IF v_highest IS NULL OR v_highest < p_epoch THEN
        PERFORM pg_advisory_xact_lock(v_space, p_slot);
        INSERT INTO fence AS f VALUES (p_slot, p_epoch)
            ON CONFLICT (slot) DO UPDATE SET epoch = greatest(f.epoch, excluded.epoch)
            RETURNING f.epoch INTO v_highest;
    ELSE
        PERFORM pg_advisory_xact_lock_shared(v_space, p_slot);
        SELECT epoch INTO v_highest FROM fence WHERE slot = p_slot;
    END IF;
    RETURN CASE WHEN v_highest > p_epoch THEN v_highest END;
END $$;

-- Whether a write that expects no E-tag in particular comes too late: its client, the first eight
-- bytes of its token, has written since.
CREATE FUNCTION overtaken(p_expected bigint, p_token bytea, p_newest bytea) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT p_expected IN (0, -1) AND p_newest > p_token
        AND substr(p_newest, 1, 8) = substr(p_token, 1, 8)
$$;

CREATE FUNCTION load(p_slot integer, p_epoch bigint, p_id bytea,
    OUT outcome integer, OUT number bigint, OUT value bytea) LANGUAGE plpgsql AS $$
BEGIN
    number := enter(p_slot, p_epoch);
    IF number IS NOT NULL THEN
        outcome := 2;
        RETURN;
    END IF;
    outcome := 0;
    SELECT s.etag, s.value INTO number, value FROM state s WHERE s.digest = sha256(p_id);
END $$;

-- Without a value: removes.
CREATE FUNCTION save(p_slot integer, p_epoch bigint, p_id bytea, p_expected bigint,
    p_token bytea, p_value bytea, OUT outcome integer, OUT number bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_late bigint := enter(p_slot, p_epoch);
    v_digest bytea := sha256(p_id);
    v_etag bigint;
    v_token bytea;
    v_found boolean;
BEGIN
    LOOP
        SELECT s.etag, s.token INTO v_etag, v_token FROM state s
            WHERE s.digest = v_digest FOR UPDATE;
        v_found := FOUND;
        IF v_token = p_token AND (v_etag IS NULL) = (p_value IS NULL) THEN
            outcome := 0;
            number := v_etag;
            RETURN;
        ELSIF v_late IS NOT NULL THEN
            outcome := 2;
            number := v_late;
            RETURN;
        ELSIF p_expected <> -1 AND p_expected <> coalesce(v_etag, 0)
            OR overtaken(p_expected, p_token, v_token) THEN
            outcome := 1;
            number := v_etag;
            RETURN;
        END IF;
        outcome := 0;
        number := CASE WHEN p_value IS NOT NULL THEN nextval('etag') END;
        IF v_found THEN
            UPDATE state SET etag = number, token = p_token, value = p_value, changed = now()
                WHERE digest = v_digest;
            RETURN;
        END IF;
        INSERT INTO state VALUES (v_digest, p_id, number, p_token, p_value, now())
            ON CONFLICT (digest) DO NOTHING;
        IF FOUND THEN
            RETURN;
        END IF;
        -- Somebody else was first: look again.
    END LOOP;
END $$;

CREATE FUNCTION journal_len(p_slot integer, p_epoch bigint, p_id bytea,
    OUT outcome integer, OUT number bigint) LANGUAGE plpgsql AS $$
BEGIN
    number := enter(p_slot, p_epoch);
    IF number IS NOT NULL THEN
        outcome := 2;
        RETURN;
    END IF;
    outcome := 0;
    SELECT j.len INTO number FROM journal j WHERE j.digest = sha256(p_id);
    number := coalesce(number, 0);
END $$;

CREATE FUNCTION append(p_slot integer, p_epoch bigint, p_id bytea, p_after bigint,
    p_token bytea, p_events bytea[], OUT outcome integer, OUT number bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    v_late bigint := enter(p_slot, p_epoch);
    v_digest bytea := sha256(p_id);
    v_token bytea;
    v_found boolean;
BEGIN
    LOOP
        SELECT j.len, j.token INTO number, v_token FROM journal j
            WHERE j.digest = v_digest FOR UPDATE;
        v_found := FOUND;
        number := coalesce(number, 0);
        IF v_token = p_token THEN
            outcome := 0;
            RETURN;
        ELSIF v_late IS NOT NULL THEN
            outcome := 2;
            number := v_late;
            RETURN;
        ELSIF p_after <> number THEN
            outcome := 3;
            RETURN;
        END IF;
        outcome := 0;
        IF cardinality(p_events) = 0 THEN
            RETURN;
        END IF;
        number := number + cardinality(p_events);
        IF v_found THEN
            UPDATE journal SET len = number, token = p_token WHERE digest = v_digest;
        ELSE
            INSERT INTO journal VALUES (v_digest, p_id, number, p_token)
                ON CONFLICT (digest) DO NOTHING;
            IF NOT FOUND THEN
                CONTINUE;
            END IF;
        END IF;
        INSERT INTO event SELECT v_digest, p_after + e.place, e.value
            FROM unnest(p_events) WITH ORDINALITY AS e (value, place);
        RETURN;
    END LOOP;
END $$;

CREATE FUNCTION reminder(p_slot integer, p_epoch bigint, p_id bytea,
    OUT outcome integer, OUT number bigint, OUT due bigint, OUT period bigint,
    OUT catch_up smallint) LANGUAGE plpgsql AS $$
BEGIN
    number := enter(p_slot, p_epoch);
    IF number IS NOT NULL THEN
        outcome := 2;
        RETURN;
    END IF;
    outcome := 0;
    SELECT r.etag, r.due, r.period, r.catch_up INTO number, due, period, catch_up
        FROM reminder r WHERE r.digest = sha256(p_id);
END $$;

-- Without a time: takes back.
CREATE FUNCTION remind(p_slot integer, p_epoch bigint, p_id bytea, p_expected bigint,
    p_token bytea, p_due bigint, p_period bigint, p_catch_up smallint,
    OUT outcome integer, OUT number bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_late bigint := enter(p_slot, p_epoch);
    v_digest bytea := sha256(p_id);
    v_etag bigint;
    v_token bytea;
    v_found boolean;
BEGIN
    LOOP
        SELECT r.etag, r.token INTO v_etag, v_token FROM reminder r
            WHERE r.digest = v_digest FOR UPDATE;
        v_found := FOUND;
        IF v_token = p_token AND (v_etag IS NULL) = (p_due IS NULL) THEN
            outcome := 0;
            number := v_etag;
            RETURN;
        ELSIF v_late IS NOT NULL THEN
            outcome := 2;
            number := v_late;
            RETURN;
        ELSIF p_expected <> -1 AND p_expected <> coalesce(v_etag, 0)
            OR overtaken(p_expected, p_token, v_token) THEN
            outcome := 1;
            number := v_etag;
            RETURN;
        END IF;
        outcome := 0;
        number := CASE WHEN p_due IS NOT NULL THEN nextval('etag') END;
        IF v_found THEN
            UPDATE reminder SET etag = number, token = p_token, due = p_due, period = p_period,
                catch_up = p_catch_up, changed = now(), part = p_slot % 64 WHERE digest = v_digest;
            RETURN;
        END IF;
        INSERT INTO reminder
            VALUES (v_digest, p_id, number, p_token, p_due, p_period, p_catch_up, now(), p_slot % 64)
            ON CONFLICT (digest) DO NOTHING;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
END $$;
