import { DomainError, refuseInvalid } from '@daya/kernel';
import { refuseUnheld } from '../domain/lease-permit';
import { isSha256, isUuid } from '../domain/shapes';
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
      const permit = isUuid(header.leaseId) ? await this.findPermit.execute(header.leaseId) : undefined;
      refuseUnheld(permit, node.nodeId, header.leaseToken);
      await this.store.put(header, this.certificates.whileGood(node, chunks));
      await this.permits.addUpload(header.leaseId, header.sha256);
    } finally {
      release();
    }
  }
}

function refuseBadHeader({ sha256, bytes }: ArtifactHeader): void {
  const hash = { field: 'header.sha256', reason: 'NOT_A_SHA256', description: 'must be 64 lower-case hexadecimal digits' };
  const size = { field: 'header.bytes', reason: 'OUT_OF_RANGE', description: 'must be 0 or more' };
  refuseInvalid([...(isSha256(sha256) ? [] : [hash]), ...(Number.isSafeInteger(bytes) && bytes >= 0 ? [] : [size])]);
}

/** The first message of an upload must carry its header. */
export const headerMissing = (): DomainError =>
  new DomainError('invalid', 'INVALID_FIELDS', 'the first message must carry the header', {}, [
    { field: 'header', reason: 'REQUIRED', description: 'is required in the first message' },
  ]);
