import { StrictReader, toTimestamp } from '@daya/proto';
import {
  LeaseOffer,
  LeaseReportOutcome,
  type LeaseReport as ProtoReport,
  type LeaseStop as ProtoStop,
  type SignedLeaseOffer,
} from '@daya/proto/scheduler';
import type { LeaseReport } from '../application/ports';
import type { LeaseStop, ReportBody, ReportOutcome, SignedOffer } from '../domain/frames';
import type { LeasePermit } from '../domain/lease-permit';

/** The report part that agents' frames and the scheduler's requests share. */
export type ProtoReportBody = NonNullable<ProtoReport['report']>;

export function fromProtoReportBody(body: ProtoReportBody | undefined): ReportBody | undefined {
  switch (body?.$case) {
    case undefined:
      return undefined;
    case 'accepted':
    case 'running':
      return { kind: body.$case };
    case 'refused':
      return { kind: 'refused', reason: body.value.reason };
    case 'exited':
      return { kind: 'exited', ...body.value };
  }
}

function toProtoReportBody(body: ReportBody): ProtoReportBody {
  switch (body.kind) {
    case 'accepted':
      return { $case: 'accepted', value: {} };
    case 'running':
      return { $case: 'running', value: {} };
    case 'refused':
      return { $case: 'refused', value: { reason: body.reason } };
    case 'exited':
      return { $case: 'exited', value: { ...body, artifacts: body.artifacts.map((artifact) => ({ ...artifact })) } };
  }
}

export function toProtoReport({ nodeId, receiveTime, report }: LeaseReport): ProtoReport {
  const { reportId, leaseId, leaseToken, body } = report;
  return {
    reportId,
    nodeId,
    leaseId,
    leaseToken,
    receiveTime: toTimestamp(receiveTime),
    ...(body && { report: toProtoReportBody(body) }),
  };
}

const OUTCOMES: Partial<Record<LeaseReportOutcome, ReportOutcome>> = {
  [LeaseReportOutcome.APPLIED]: 'APPLIED',
  [LeaseReportOutcome.DUPLICATE]: 'DUPLICATE',
  [LeaseReportOutcome.STALE]: 'STALE',
  [LeaseReportOutcome.REFUSED]: 'REFUSED',
};

/** Throws a plain Error for an outcome that this version does not know: no guess is passed on to an agent. */
export function fromProtoOutcome(outcome: LeaseReportOutcome): ReportOutcome {
  const known = OUTCOMES[outcome];
  if (known === undefined) throw new Error(`the scheduler answered with the outcome ${outcome}`);
  return known;
}

export const toProtoOutcome = (outcome: ReportOutcome): LeaseReportOutcome => LeaseReportOutcome[outcome];

export const fromProtoStop = ({ leaseId, nodeId, leaseToken, reason }: ProtoStop): LeaseStop => ({
  leaseId,
  nodeId,
  leaseToken,
  reason,
});

const DIGEST_PREFIX = 'sha256:';

/** The offer to pass on unread, and what its lease lets the node do here. Throws when the scheduler signed nonsense. */
export function fromProtoOffer(signed: SignedLeaseOffer): { offer: SignedOffer; permit: LeasePermit } {
  const { leaseId, nodeId, leaseToken, organisationId, spec, inputs } = LeaseOffer.decode(
    new StrictReader(signed.offer),
  );
  const isOwnStore = spec?.image?.reference === '';
  const digest = spec?.image?.digest ?? '';
  const manifestSha256 =
    isOwnStore && digest.startsWith(DIGEST_PREFIX) ? digest.slice(DIGEST_PREFIX.length) : undefined;
  const all = [...(spec?.inputs ?? []), ...inputs].map(({ sha256 }) => sha256);
  return {
    offer: { leaseId: signed.leaseId, nodeId: signed.nodeId, offer: signed.offer, signature: signed.signature },
    permit: { leaseId, nodeId, leaseToken, organisationId, manifestSha256, inputs: [...new Set(all)], ended: false },
  };
}
