import { sign, type KeyObject } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { status } from '@grpc/grpc-js';
import { createClient, GrpcCallError } from '@daya/nest/client';
import { EnrolmentServiceService, type SignedUsageBlock, type UsageTick } from '@daya/proto/dispatch';
import type { HeldLease } from '@daya/proto/scheduler';
import { Client } from 'pg';
import { certificateRequest } from '../hostile/certificate-request';
import { addressOf } from '../hostile/platform';
import { MANIFEST_SHA256, type World } from '../hostile/world';
import { restClient, until } from './market';
import type { Platform } from './platform';
import type { ScriptedAgent } from './scripted-agent';

const PATIENCE_MS = 30_000;

/** The refusal of a call that must be refused. */
export async function refusal(call: Promise<unknown>): Promise<{ readonly code: status; readonly reason: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof GrpcCallError) return { code: error.code, reason: error.reason };
    throw error;
  }
  throw new Error('the call was accepted');
}

/** Reads the image's manifest under a lease. */
export async function fetchBlob({ client }: ScriptedAgent, { leaseId, leaseToken }: HeldLease): Promise<void> {
  const wanted = { leaseId, leaseToken, sha256: MANIFEST_SHA256, offsetBytes: 0n };
  for await (const chunk of client.fetchBlob(wanted, { signal: AbortSignal.timeout(10_000) })) void chunk;
}

/** Renews a node's first certificate with a new key. */
export async function renew({ platform, identities }: World, node: { nodeId: string; key: KeyObject }): Promise<void> {
  const url = addressOf(platform, 'dispatch', 'ENROLMENT_PORT');
  const client = createClient(EnrolmentServiceService, { url, audience: 'dispatch', tls: { ca: identities.ca } });
  const [request, generation] = [certificateRequest(node.key), Buffer.from([0, 0, 0, 1])];
  const signature = sign(null, Buffer.concat([request, generation]), node.key);
  try {
    await client.renew({ nodeId: node.nodeId, generation: 1, certificateRequest: request, signature });
  } finally {
    client.onModuleDestroy();
  }
}

/** A last reading of a lease's counter. */
export const aTick = ({ leaseId, leaseToken }: HeldLease, cumulativeMs: bigint): UsageTick => ({
  leaseId,
  leaseToken,
  cumulativeMs,
  agentTime: undefined,
  final: true,
});

const acknowledgements = ({ heard }: ScriptedAgent): number => heard.filter(({ $case }) => $case === 'usageAck').length;

/** Sends a block and waits until dispatch has taken it over. */
export async function deliver(agent: ScriptedAgent, block: SignedUsageBlock): Promise<void> {
  const before = acknowledgements(agent);
  agent.say({ $case: 'usage', value: block });
  await until(
    () => Promise.resolve(acknowledgements(agent)),
    (count) => count > before,
    PATIENCE_MS,
  );
}

/** Why metering counts a node's ticks of a lease as nothing, sorted; waits for `count` of them. */
export async function refusedTicks(
  platform: Platform,
  { nodeId }: ScriptedAgent,
  { leaseId }: HeldLease,
  count: number,
): Promise<string[]> {
  const operator = restClient(platform);
  const path = `/v1/refused-ticks?nodeId=${nodeId}`;
  const read = async (): Promise<string[]> => {
    const ticks = await operator.list<{ leaseId: string; reason: string }>(path, 'ticks');
    return ticks.filter((tick) => tick.leaseId === leaseId).map(({ reason }) => reason);
  };
  return (await until(read, (reasons) => reasons.length >= count, PATIENCE_MS)).sort();
}

/** How many frames dispatch has left unanswered for this reason. */
async function dropped({ env }: Platform, kind: string, reason: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${env['dispatch']?.['ADMIN_PORT']}/metrics`);
  const line = new RegExp(`^daya_dispatch_frames_dropped_total\\{kind="${kind}",reason="${reason}"\\} (\\d+)$`, 'm');
  return Number(line.exec(await response.text())?.[1] ?? 0);
}

/** Says something that dispatch does not answer, and waits until it has counted why. */
export async function isDropped(platform: Platform, kind: string, reason: string, act: () => void): Promise<void> {
  const before = await dropped(platform, kind, reason);
  act();
  await until(
    () => dropped(platform, kind, reason),
    (count) => count === before + 1,
    PATIENCE_MS,
  );
}

/** Names of all that dispatch has stored. */
export function storedFiles({ env }: Platform): string[] {
  const folder = env['dispatch']?.['STORE_FOLDER'];
  if (folder === undefined) throw new Error('platform.json does not say where dispatch keeps blobs');
  return readdirSync(folder, { recursive: true }).map(String).sort();
}

/** A node's certificates, and whether and why it is revoked. */
export async function certificatesOf({ databases }: Platform, nodeId: string): Promise<unknown[]> {
  const client = new Client({ connectionString: databases['registry']?.auditUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(
      `SELECT c.*, n.certificate_generation, n.revoke_time, n.revoke_reason FROM node n JOIN node_certificate c USING (node_id)
       WHERE node_id = $1 ORDER BY generation`,
      [nodeId],
    );
    return rows;
  } finally {
    await client.end();
  }
}
