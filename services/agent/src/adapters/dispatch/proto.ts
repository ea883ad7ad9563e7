import { SignedUsageBlock } from '@daya/proto/dispatch';
import type { AgentFrame, Hello, Report as ProtoReport, ServerFrame } from '@daya/proto/dispatch';
import { decodeStrict, fromTimestamp } from '@daya/proto';
import { LeaseOffer as ProtoLeaseOffer, LeaseReportOutcome, NetworkPolicy } from '@daya/proto/scheduler';
import type { HeldLease } from '@daya/proto/scheduler';
import type { AgentMessage, LeaseRef, PlatformMessage, Report, ReportOutcome } from '../../application/messages';
import type { LeaseOffer } from '../../domain/lease-offer';
import { hexOf, toDigest } from './digests';

/** What a hello says beside its message. */
export type HelloFacts = Omit<Hello, 'leases' | 'draining'>;

/** Checks a signed offer; false when the scheduler did not sign these bytes. */
export type VerifyOffer = (offer: Uint8Array, signature: Uint8Array) => boolean;

const DEFAULT_CPU_MILLI = 1_000;
const DEFAULT_MEMORY_MIB = 512;
const DEFAULT_SCRATCH_MIB = 256;

const OUTCOMES: Partial<Record<LeaseReportOutcome, ReportOutcome>> = {
  [LeaseReportOutcome.APPLIED]: 'APPLIED',
  [LeaseReportOutcome.DUPLICATE]: 'DUPLICATE',
  [LeaseReportOutcome.STALE]: 'STALE',
  [LeaseReportOutcome.REFUSED]: 'REFUSED',
};

export function toProtoFrame(message: AgentMessage, hello: HelloFacts): AgentFrame {
  switch (message.type) {
    case 'hello':
      return {
        frame: {
          $case: 'hello',
          value: { ...hello, leases: message.leases.map(toProtoLease), draining: message.draining },
        },
      };
    case 'heartbeat':
      return {
        frame: {
          $case: 'heartbeat',
          value: {
            sequence: BigInt(message.sequence),
            leases: message.leases.map(toProtoLease),
            draining: message.draining,
          },
        },
      };
    case 'report':
      return { frame: { $case: 'report', value: toProtoReport(message.report) } };
    case 'usage':
      return { frame: { $case: 'usage', value: SignedUsageBlock.decode(message.block) } };
    case 'log':
      return {
        frame: {
          $case: 'log',
          value: {
            ...toProtoLease(message.lease),
            offsetBytes: BigInt(message.offsetBytes),
            data: Buffer.from(message.data),
            cut: message.cut,
            end: message.end,
          },
        },
      };
  }
}

/** Null for a frame that this version does not know and for an offer that is not signed: neither may have an effect. Redirects are the stream's own business. */
export function fromProtoFrame({ frame }: ServerFrame, verify: VerifyOffer): PlatformMessage | null {
  switch (frame?.$case) {
    case 'welcome':
      return { type: 'welcome', heartbeatMs: frame.value.heartbeatMs, selfFenceMs: frame.value.selfFenceMs };
    case 'heartbeatAck':
      return {
        type: 'heartbeat-ack',
        sequence: Number(frame.value.sequence),
        renewedLeaseIds: frame.value.renewedLeaseIds,
      };
    case 'offer': {
      if (!verify(frame.value.offer, frame.value.signature)) return null;
      return { type: 'offer', offer: fromProtoOffer(decodeStrict(ProtoLeaseOffer, frame.value.offer)) };
    }
    case 'stop':
      return {
        type: 'stop',
        leaseId: frame.value.leaseId,
        leaseToken: frame.value.leaseToken,
        reason: frame.value.reason,
      };
    case 'reportAck': {
      const outcome = OUTCOMES[frame.value.outcome];
      return outcome === undefined
        ? null
        : { type: 'report-ack', reportId: frame.value.reportId, outcome, reason: frame.value.reason };
    }
    case 'usageAck':
      return { type: 'usage-ack', bootId: frame.value.bootId, lastSequence: Number(frame.value.lastSequence) };
    default:
      return null;
  }
}

function fromProtoOffer(offer: ProtoLeaseOffer): LeaseOffer {
  const { spec } = offer;
  const requirements = spec?.requirements;
  return {
    leaseId: offer.leaseId,
    leaseToken: offer.leaseToken,
    nodeId: offer.nodeId,
    jobId: offer.jobId,
    taskIndex: offer.taskIndex,
    gpuUuids: offer.gpuUuids,
    imageReference: spec?.image?.reference ?? '',
    imageDigest: spec?.image?.digest ?? '',
    command: offer.command,
    env: { ...offer.env, ...Object.fromEntries(offer.secrets.map((secret) => [secret.name, secret.value])) },
    inputs: inputsOf(offer),
    outputPath:
      offer.outputPath === '' || offer.outputPath.startsWith('/') ? offer.outputPath : `/scratch/${offer.outputPath}`,
    network: spec?.network === NetworkPolicy.INTERNET,
    cpuMilli: orDefault(requirements?.cpuMilli, DEFAULT_CPU_MILLI),
    memoryMib: orDefault(requirements?.memoryMib, DEFAULT_MEMORY_MIB),
    scratchMib: orDefault(requirements?.scratchMib, DEFAULT_SCRATCH_MIB),
    maxRunSeconds: offer.maxRunSeconds,
    answerBy: offer.answerTime === undefined ? new Date(0) : fromTimestamp(offer.answerTime),
  };
}

/** The job's own inputs and the earlier tasks' artifacts; an offer may name the former in both places. */
function inputsOf({ spec, inputs }: ProtoLeaseOffer): LeaseOffer['inputs'] {
  const all = [...(spec?.inputs ?? []), ...inputs];
  const isFirst = (path: string, sha256: string, index: number): boolean =>
    all.findIndex((input) => input.path === path && input.sha256 === sha256) === index;
  return all
    .filter(({ path, sha256 }, index) => isFirst(path, sha256, index))
    .map(({ path, sha256 }) => ({ digest: toDigest(sha256), path }));
}

function toProtoReport({ reportId, leaseId, leaseToken, body }: Report): ProtoReport {
  const lease = { reportId, leaseId, leaseToken };
  switch (body.type) {
    case 'accepted':
      return { ...lease, report: { $case: 'accepted', value: {} } };
    case 'refused':
      return { ...lease, report: { $case: 'refused', value: { reason: body.reason } } };
    case 'running':
      return { ...lease, report: { $case: 'running', value: {} } };
    case 'exited': {
      const artifacts = body.artifacts.map(({ path, sizeBytes, digest }) => ({
        path,
        bytes: BigInt(sizeBytes),
        sha256: hexOf(digest),
      }));
      return {
        ...lease,
        report: {
          $case: 'exited',
          value: { exitCode: body.exitCode, reason: body.reason, cumulativeMs: BigInt(body.cumulativeMs), artifacts },
        },
      };
    }
  }
}

function toProtoLease({ leaseId, leaseToken }: LeaseRef): HeldLease {
  return { leaseId, leaseToken };
}

/** 0 means the default, as the proto says. */
function orDefault(value: number | undefined, fallback: number): number {
  return value === undefined || value === 0 ? fallback : value;
}
