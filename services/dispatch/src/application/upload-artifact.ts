import { DomainError, refuseInvalid } from '@daya/kernel';
import { refuseUnheld } from '../domain/lease-permit';
import { brokenRules, countRule, sha256Rule, tokenRule, uuidRule } from '../domain/shapes';
import type { Slots } from '../domain/slots';
import type { Certificates } from './certificates';
import type { FindPermit } from './find-permit';
import type { ArtifactStore, LeasePermits, NodeCertificate } from './ports';

export interface ArtifactHeader {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly sha256: string;
  readonly bytes: number;
}

/** Stores a file of a held lease under its content's hash. Safe to repeat: the same content is the same blob. */
export class UploadArtifact {
  constructor(
    private readonly certificates: Certificates,
    private readonly findPermit: FindPermit,
    private readonly permits: LeasePermits,
    private readonly store: ArtifactStore,
    private readonly slots: Slots,
  ) {}

  /** Throws what `refuseUnheld` and the store throw, `exhausted` TRANSFERS_TOO_MANY or LEASE_UPLOADS_TOO_MANY. */
  async execute(node: NodeCertificate, header: ArtifactHeader, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    refuseBadHeader(header);
    const release = this.slots.take(node.nodeId);
    try {
      await this.certificates.refuseRevoked(node);
      refuseUnheld(await this.findPermit.execute(header.leaseId), node.nodeId, header.leaseToken);
      await this.store.put(header, this.certificates.whileGood(node, chunks));
      await this.permits.addUpload(header.leaseId, header.sha256);
    } finally {
      release();
    }
  }
}

function refuseBadHeader({ leaseId, leaseToken, sha256, bytes }: ArtifactHeader): void {
  const lease = [uuidRule('header.lease_id', leaseId), tokenRule('header.lease_token', leaseToken)];
  refuseInvalid(brokenRules([...lease, sha256Rule('header.sha256', sha256), countRule('header.bytes', bytes)]));
}

/** The first message of an upload must carry its header. */
export const headerMissing = (): DomainError =>
  new DomainError('invalid', 'INVALID_FIELDS', 'the first message must carry the header', {}, [
    { field: 'header', reason: 'REQUIRED', description: 'is required in the first message' },
  ]);
