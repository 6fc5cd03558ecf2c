"""SQL's clock, and the hash chain of the audit trail.

The chain is made by the database, so that every writer is covered: ORM, plain SQL, shells. Each connection uses the chain
`pg_backend_pid() % 16`: a transaction holds one head only, so chains cannot deadlock, and 16 writers do not queue.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION hearthside_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() + make_interval(secs => coalesce((SELECT seconds FROM common_clockoffset WHERE id = 1), 0))
$$;

ALTER TABLE common_audithead SET (fillfactor = 20);

CREATE FUNCTION common_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE head common_audithead%ROWTYPE;
BEGIN
    SELECT * INTO head FROM common_audithead WHERE shard = pg_backend_pid() % 16 FOR UPDATE;
    IF NOT FOUND THEN  -- the first row of this chain; two that race here meet on the primary key
        INSERT INTO common_audithead (shard, seq, row_hash) VALUES (pg_backend_pid() % 16, 0, repeat('0', 64))
        ON CONFLICT (shard) DO NOTHING;
        SELECT * INTO STRICT head FROM common_audithead WHERE shard = pg_backend_pid() % 16 FOR UPDATE;
    END IF;
    NEW.shard := head.shard;
    NEW.seq := head.seq + 1;
    NEW.prev_hash := head.row_hash;
    NEW.row_hash := encode(sha256(convert_to(concat_ws(chr(31),
        NEW.prev_hash, NEW.shard, NEW.seq,
        to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        NEW.actor, NEW.action, NEW.object_type, NEW.object_id,
        coalesce(NEW.patient_id::text, ''), NEW.reason, NEW.detail::text), 'UTF8')), 'hex');
    UPDATE common_audithead SET seq = NEW.seq, row_hash = NEW.row_hash WHERE shard = head.shard;
    RETURN NEW;
END $$;
CREATE TRIGGER common_audit_chain BEFORE INSERT ON common_auditentry
    FOR EACH ROW EXECUTE FUNCTION common_audit_chain();

CREATE FUNCTION common_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Test databases are emptied between tests; they say so with a setting that a deployment's role cannot keep.
    IF current_setting('hearthside.allow_truncate', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the trail is append-only';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_is_never_truncated BEFORE TRUNCATE ON common_auditentry
    FOR EACH STATEMENT
    EXECUTE FUNCTION common_refuse_truncate();
"""

BACKWARD = """
DROP TRIGGER audit_is_never_truncated ON common_auditentry;
DROP FUNCTION common_refuse_truncate();
DROP TRIGGER common_audit_chain ON common_auditentry;
DROP FUNCTION common_audit_chain();
DROP FUNCTION hearthside_now();
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
