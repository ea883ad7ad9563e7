import { execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The shapes that the invariants of docs speak of: their job is our task, their epoch our run number. */
const VIEWS = [
  `CREATE VIEW audited_lease WITH (security_invoker = true) AS
     SELECT l.lease_id AS id, l.task_id AS job_id, l.run_number AS epoch, l.node_id AS agent_id, g.gpu_uuid, l.grant_time AS granted_at,
            n.expire_time AS expires_at, l.closed_at, r.reason, l.canary, l.member_index
     FROM lease l JOIN run r USING (lease_id) JOIN lease_renewal n USING (lease_id) CROSS JOIN LATERAL unnest(l.gpu_uuids) AS g (gpu_uuid)`,
  `CREATE VIEW audited_result WITH (security_invoker = true) AS
     SELECT p.node_id, p.report_id, p.lease_id, p.lease_token, p.receive_time, p.record_time AS accepted_at
     FROM lease_report p JOIN run r USING (lease_id)
     WHERE p.kind = 'EXITED' AND p.outcome = 'APPLIED' AND r.state = 'SUCCEEDED'`,
];

/** An auditor: rows younger than `grace_seconds` may still be on their way; every row it returns is a violation. */
const auditor = (name: string, sql: string, more = ''): string =>
  `CREATE FUNCTION ${name}(grace_seconds integer${more}) RETURNS TABLE (subject text, detail text) LANGUAGE sql STABLE AS $$ ${sql} $$`;

const RIPE = `now() - make_interval(secs => grace_seconds)`;

const AUDITORS = [
  auditor(
    'audit_s1',
    `
    SELECT task_id::text, count(*) || ' live leases' FROM lease
    WHERE closed_at IS NULL AND grace_seconds >= 0 GROUP BY task_id, member_index HAVING count(*) > 1
    UNION ALL
    SELECT t.task_id::text, 'is ' || t.state || ' without a live lease' FROM task t
    WHERE t.state IN ('LEASED', 'RUNNING') AND t.queue_time <= ${RIPE}
      AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.task_id = t.task_id AND l.closed_at IS NULL)`,
  ),
  auditor(
    'audit_s2',
    `
    SELECT a.gpu_uuid, 'leases ' || a.id || ' and ' || b.id || ' overlap'
    FROM audited_lease a JOIN audited_lease b ON a.gpu_uuid = b.gpu_uuid AND a.id < b.id
      AND tstzrange(a.granted_at, a.closed_at) && tstzrange(b.granted_at, b.closed_at)
    WHERE grace_seconds >= 0
    UNION ALL
    SELECT l.gpu_uuid, 'lease ' || l.id || ' and its GPU row do not agree' FROM audited_lease l
    LEFT JOIN lease_gpu g ON g.lease_id = l.id AND g.gpu_uuid = l.gpu_uuid
    WHERE g.lease_id IS NULL OR g.closed_at IS DISTINCT FROM l.closed_at`,
  ),
  auditor(
    'audit_s3',
    `
    SELECT r.lease_id::text, 'result ' || r.report_id || ' was accepted under token ' || r.lease_token || ', the lease has ' || l.lease_token
    FROM audited_result r JOIN lease l USING (lease_id) WHERE grace_seconds >= 0 AND r.lease_token <> l.lease_token
    UNION ALL
    SELECT r.lease_id::text, 'a later run was granted before its result was accepted'
    FROM audited_result r JOIN lease l USING (lease_id)
    JOIN lease n ON n.task_id = l.task_id AND n.run_number > l.run_number AND n.grant_time < r.accepted_at
    UNION ALL
    SELECT task_id::text, count(*) || ' accepted results' FROM run WHERE state = 'SUCCEEDED' GROUP BY task_id HAVING count(*) > 1
    UNION ALL
    SELECT task_id::text, 'run numbers have a gap' FROM lease GROUP BY task_id HAVING max(run_number) <> count(*)
    UNION ALL
    SELECT a.task_id::text, 'artifact ' || a.path || ' is of run ' || a.run_number || ', which did not succeed'
    FROM artifact a LEFT JOIN run r ON r.task_id = a.task_id AND r.run_number = a.run_number WHERE r.state IS DISTINCT FROM 'SUCCEEDED'`,
  ),
  auditor(
    'audit_s6',
    `
    SELECT q.lease_id::text, 'is in Redis and is no lease' FROM unnest(queued_lease_ids) AS q (lease_id)
    WHERE NOT EXISTS (SELECT 1 FROM lease l WHERE l.lease_id = q.lease_id)
    UNION ALL
    SELECT l.lease_id::text, 'is offered, unanswered and in no queue' FROM lease l JOIN run r USING (lease_id)
    WHERE r.state = 'OFFERED' AND l.answer_time <= ${RIPE} AND NOT l.lease_id = ANY (queued_lease_ids)`,
    ', queued_lease_ids uuid[]',
  ),
  auditor(
    'audit_s7',
    `
    SELECT n.node_id::text, 'leases take ' || coalesce(sum(l.cpu_milli), 0) || ' cpu_milli, ' || coalesce(sum(l.memory_mib), 0) || ' MiB memory, '
      || coalesce(sum(l.scratch_mib), 0) || ' MiB scratch, ' || coalesce(sum(cardinality(l.gpu_uuids)), 0) || ' GPUs; more than the node has'
    FROM node_view n JOIN lease l ON l.node_id = n.node_id AND l.closed_at IS NULL AND l.grant_time <= ${RIPE}
    GROUP BY n.node_id HAVING sum(l.cpu_milli) > n.cpu_milli OR sum(l.memory_mib) > n.memory_mib OR sum(l.scratch_mib) > n.scratch_mib
      OR sum(cardinality(l.gpu_uuids)) > jsonb_array_length(n.gpus)
    UNION ALL
    SELECT l.lease_id::text, 'is a paid lease on a node that is not admitted' FROM lease l LEFT JOIN node_view n USING (node_id)
    WHERE l.closed_at IS NULL AND NOT l.canary AND n.admitted IS NOT TRUE AND l.grant_time <= ${RIPE}`,
  ),
];

export class CreateAuditors1764032400002 implements MigrationInterface {
  name = 'CreateAuditors1764032400002';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, VIEWS, AUDITORS);
  }

  async down(): Promise<void> {
    throw new Error('auditors roll forward only');
  }
}
