/**
 * Tables of every service that sends or receives events. `outbox`: facts to publish. `aggregate_version`: the last version
 * given to an aggregate's events. `inbox`: what a consumer has handled. `consumer_aggregate`: how far it is per aggregate.
 * `parked`: events that wait for a person (POISON) or for an earlier version (GAP). `consumer_offset`: batch consumers.
 * The scoped role may only append to the outbox; the rest belongs to the system role.
 */
export const OUTBOX_INBOX_SQL = `
CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL UNIQUE,
  topic text NOT NULL, key text NOT NULL, type text NOT NULL, payload bytea NOT NULL, aggregate_version bigint,
  headers jsonb NOT NULL DEFAULT '{}', create_time timestamptz NOT NULL DEFAULT now(), publish_time timestamptz);
CREATE INDEX outbox_pending ON outbox (position) WHERE publish_time IS NULL;
CREATE INDEX outbox_published ON outbox (publish_time) WHERE publish_time IS NOT NULL;
CREATE TABLE aggregate_version (topic text, key text, version bigint NOT NULL, PRIMARY KEY (topic, key));
CREATE TABLE inbox (consumer text, event_id uuid, topic text NOT NULL, key text NOT NULL, aggregate_version bigint,
  process_time timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (consumer, event_id));
CREATE UNIQUE INDEX inbox_version ON inbox (consumer, topic, key, aggregate_version) WHERE aggregate_version IS NOT NULL;
CREATE INDEX inbox_time ON inbox (process_time);
CREATE TABLE consumer_aggregate (consumer text, topic text, key text, version bigint NOT NULL, waiting boolean NOT NULL DEFAULT false,
  PRIMARY KEY (consumer, topic, key));
CREATE TABLE consumer_offset (consumer text, topic text, partition integer, next_offset bigint NOT NULL,
  PRIMARY KEY (consumer, topic, partition));
CREATE TABLE parked (consumer text, event_id uuid, kind text NOT NULL CHECK (kind IN ('POISON', 'GAP')), topic text NOT NULL, key text NOT NULL,
  type text NOT NULL, aggregate_version bigint, payload bytea NOT NULL, headers jsonb NOT NULL, source text NOT NULL, event_time timestamptz NOT NULL,
  reason text NOT NULL, error text NOT NULL, attempts integer NOT NULL, park_time timestamptz NOT NULL DEFAULT now(),
  retry_time timestamptz, resolve_time timestamptz, PRIMARY KEY (consumer, event_id));
CREATE INDEX parked_open ON parked (consumer, topic, key, aggregate_version) WHERE resolve_time IS NULL;

CREATE FUNCTION next_aggregate_version(of_topic text, of_key text) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER
  SET search_path = public, pg_temp AS $$
  INSERT INTO aggregate_version AS a (topic, key, version) VALUES (of_topic, of_key, 1)
  ON CONFLICT (topic, key) DO UPDATE SET version = a.version + 1 RETURNING version $$;
DO $$ DECLARE service text := regexp_replace(current_user, '_owner$', ''); BEGIN
  REVOKE EXECUTE ON FUNCTION next_aggregate_version(text, text) FROM PUBLIC;
  EXECUTE format('GRANT EXECUTE ON FUNCTION next_aggregate_version(text, text) TO %I, %I', service, service || '_system');
END $$;
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('outbox', ''); RETURN NULL; END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY outbox_append ON outbox FOR INSERT WITH CHECK (true);
ALTER TABLE aggregate_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE consumer_aggregate ENABLE ROW LEVEL SECURITY;
ALTER TABLE consumer_offset ENABLE ROW LEVEL SECURITY;
ALTER TABLE parked ENABLE ROW LEVEL SECURITY;
`;
