import { refuseInvalid } from '@daya/kernel';
import { fromTimestamp } from '@daya/proto';
import type { Timestamp } from '@daya/proto/google';
import type * as proto from '@daya/proto/scheduler';
import type { NodeHeartbeat } from '../application/renew-leases';
import type { JobSpecInput } from '../domain/job-spec';
import type { LeaseReport, ReportBody } from '../domain/report';
import { Violations } from '../domain/violations';
import { fromProtoNetwork } from './proto-states';

/** The shapes are alike; only the network's word differs. */
export const fromProtoSpec = (spec: proto.JobSpec | undefined): JobSpecInput | undefined =>
  spec && { ...spec, network: fromProtoNetwork(spec.network) };

/** Throws `invalid` with the index of every report that has no time or says nothing. */
export function fromProtoReports(reports: readonly proto.LeaseReport[]): LeaseReport[] {
  const found = new Violations();
  const read = reports.map((report, index): LeaseReport => {
    const receiveTime = timeOf(found, `reports[${index}].receive_time`, report.receiveTime);
    const body = bodyOf(report);
    found.check(
      `reports[${index}].report`,
      body !== undefined,
      'REQUIRED',
      'one of accepted, refused, running and exited must be set',
    );
    const { reportId, nodeId, leaseId, leaseToken } = report;
    return { reportId, nodeId, leaseId, leaseToken, receiveTime, body: body ?? { kind: 'ACCEPTED' } };
  });
  refuseInvalid(found.list);
  return read;
}

function bodyOf({ report }: proto.LeaseReport): ReportBody | undefined {
  switch (report?.$case) {
    case 'accepted':
      return { kind: 'ACCEPTED' };
    case 'refused':
      return { kind: 'REFUSED', reason: report.value.reason };
    case 'running':
      return { kind: 'RUNNING' };
    case 'exited':
      return { kind: 'EXITED', ...report.value };
    case undefined:
      return undefined;
  }
}

/** Throws `invalid` with the index of every heartbeat that has no time. */
export function fromProtoHeartbeats(heartbeats: readonly proto.NodeHeartbeat[]): NodeHeartbeat[] {
  const found = new Violations();
  const read = heartbeats.map((heartbeat, index) => {
    const receiveTime = timeOf(found, `heartbeats[${index}].receive_time`, heartbeat.receiveTime);
    const { nodeId, leases, agentStarted, draining } = heartbeat;
    return { nodeId, receiveTime, leases, agentStarted, draining };
  });
  refuseInvalid(found.list);
  return read;
}

/** Years 1 to 9999, as google.protobuf.Timestamp has them: what lies outside no database column holds. */
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;
const NANOS_MAX = 999_999_999;

function timeOf(found: Violations, field: string, timestamp: Timestamp | undefined): Date {
  if (!timestamp) {
    found.add(field, 'REQUIRED', 'must be set');
    return new Date(0);
  }
  const { seconds, nanos } = timestamp;
  const holds = seconds >= SECONDS_MIN && seconds <= SECONDS_MAX && nanos >= 0 && nanos <= NANOS_MAX;
  if (holds) return fromTimestamp(timestamp);
  found.add(field, 'OUT_OF_RANGE', 'is no time');
  return new Date(0);
}
