-- Auditors that join services (reliability: U5, E1–E3). They run in the database `audit`, which reads the services' tables
-- through postgres_fdw by their read-only roles, and nowhere else. Each returns a row per violation, none on sound data.
-- Nested loops would ask the other database again for every row.

-- Who handles which event by an inbox. Batch consumers keep offsets instead and are checked by their results.
CREATE VIEW subscription (consumer, service, topic, type) AS VALUES
  ('billing.market', 'billing', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseStarted'),
  ('billing.market', 'billing', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseEnded'),
  ('billing.market', 'billing', 'daya.scheduler.jobs', 'daya.scheduler.v1.JobFinished'),
  ('billing.market', 'billing', 'daya.metering.usage', 'daya.metering.v1.UsageRecorded'),
  ('metering.market', 'metering', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseGranted'),
  ('metering.market', 'metering', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseStarted'),
  ('metering.market', 'metering', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseExtended'),
  ('metering.market', 'metering', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseEnded'),
  ('metering.market', 'metering', 'daya.registry.nodes', 'daya.registry.v1.NodeCertified'),
  ('metering.market', 'metering', 'daya.registry.nodes', 'daya.registry.v1.NodeRevoked'),
  ('registry.scheduler-events', 'registry', 'daya.scheduler.jobs', 'daya.scheduler.v1.JobFinished'),
  ('registry.scheduler-events', 'registry', 'daya.scheduler.leases', 'daya.scheduler.v1.LeaseEnded');

CREATE VIEW all_outbox AS
  SELECT 'registry' AS service, * FROM registry.outbox UNION ALL SELECT 'scheduler', * FROM scheduler.outbox
  UNION ALL SELECT 'metering', * FROM metering.outbox UNION ALL SELECT 'billing', * FROM billing.outbox;

CREATE VIEW all_inbox AS
  SELECT consumer, event_id, topic, key, aggregate_version FROM registry.inbox
  UNION ALL SELECT consumer, event_id, topic, key, aggregate_version FROM metering.inbox
  UNION ALL SELECT consumer, event_id, topic, key, aggregate_version FROM billing.inbox;

CREATE VIEW all_parked AS
  SELECT consumer, event_id, topic, key, resolve_time FROM registry.parked
  UNION ALL SELECT consumer, event_id, topic, key, resolve_time FROM metering.parked
  UNION ALL SELECT consumer, event_id, topic, key, resolve_time FROM billing.parked;

-- E1: every event older than the grace was handled, or is parked with a ticket, by everyone who wants it.
CREATE FUNCTION audit_e1(grace_seconds integer) RETURNS TABLE (consumer text, event_id uuid, type text) LANGUAGE sql STABLE SET enable_nestloop = off AS $$
  SELECT s.consumer, o.event_id, o.type FROM all_outbox o JOIN subscription s ON s.topic = o.topic AND s.type = o.type
  WHERE o.create_time < now() - make_interval(secs => grace_seconds)
    AND NOT EXISTS (SELECT 1 FROM all_inbox i WHERE i.consumer = s.consumer AND i.event_id = o.event_id)
    AND NOT EXISTS (SELECT 1 FROM all_parked p WHERE p.consumer = s.consumer AND p.event_id = o.event_id) $$;

-- E2: an effect stands once: no usage charged by two transactions, no job with two invoices, whatever was delivered twice.
CREATE FUNCTION audit_e2(grace_seconds integer) RETURNS TABLE (what text, id text, effects bigint) LANGUAGE sql STABLE SET enable_nestloop = off AS $$
  SELECT 'usage', usage_id, count(*) FROM billing.usage_charge GROUP BY usage_id HAVING count(*) > 1
  UNION ALL SELECT 'invoice', job_id::text, count(*) FROM billing.invoice GROUP BY job_id HAVING count(*) > 1
  UNION ALL SELECT 'event', event_id::text, count(*) FROM all_outbox GROUP BY event_id HAVING count(*) > 1 $$;

-- E3: no consumer is ahead of the owner's version of an aggregate, and none skipped one: what it handled of versioned events
-- of the types it wants is gapless up to where it stands.
CREATE FUNCTION audit_e3(grace_seconds integer) RETURNS TABLE (consumer text, topic text, key text, version bigint) LANGUAGE sql STABLE SET enable_nestloop = off AS $$
  SELECT s.consumer, o.topic, o.key, o.aggregate_version FROM all_outbox o JOIN subscription s ON s.topic = o.topic AND s.type = o.type
  WHERE EXISTS (SELECT 1 FROM all_inbox later WHERE later.consumer = s.consumer AND later.topic = o.topic AND later.key = o.key
                AND later.aggregate_version > o.aggregate_version)
    AND NOT EXISTS (SELECT 1 FROM all_inbox i WHERE i.consumer = s.consumer AND i.event_id = o.event_id)
    AND NOT EXISTS (SELECT 1 FROM all_parked p WHERE p.consumer = s.consumer AND p.event_id = o.event_id) $$;

-- U5: usage and charges are one to one: the newest version of every settled window reached billing, and billing charged
-- nothing that metering did not record.
CREATE FUNCTION audit_u5(grace_seconds integer) RETURNS TABLE (usage_id text, what text) LANGUAGE sql STABLE SET enable_nestloop = off AS $$
  SELECT w.usage_id::text, 'never reached billing' FROM metering.usage_window w
    WHERE w.record_time < now() - make_interval(secs => grace_seconds)
      AND NOT EXISTS (SELECT 1 FROM billing.usage_window b WHERE b.usage_id = w.usage_id::text)
  UNION ALL
  SELECT c.usage_id, 'charged but never recorded' FROM billing.usage_charge c
    WHERE NOT EXISTS (SELECT 1 FROM metering.outbox o WHERE o.event_id::text = c.usage_id) $$;
