import type { Report } from './frames';

const REPORT_BYTES = 256;
const ARTIFACT_BYTES = 96;
const UTF8_BYTES_PER_UNIT = 3;
const HEARTBEAT_BYTES = 96;
const LEASE_BYTES = 56;

/** At least the bytes that a report takes on the wire. */
export function reportBytes({ body }: Report): number {
  if (body?.kind !== 'exited') return REPORT_BYTES;
  return body.artifacts.reduce(
    (sum, { path }) => sum + ARTIFACT_BYTES + path.length * UTF8_BYTES_PER_UNIT,
    REPORT_BYTES,
  );
}

export const heartbeatBytes = (leaseCount: number): number => HEARTBEAT_BYTES + leaseCount * LEASE_BYTES;
