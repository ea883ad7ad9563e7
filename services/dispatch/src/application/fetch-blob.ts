import { DomainError, refuseInvalid } from '@daya/kernel';
import { partsOfManifest } from '../domain/image-manifest';
import { names, refuseUnheld, type LeasePermit } from '../domain/lease-permit';
import { MANIFEST_BYTES_MAX } from '../domain/limits';
import { brokenRules, countRule, sha256Rule, tokenRule, uuidRule } from '../domain/shapes';
import type { Slots } from '../domain/slots';
import type { Certificates } from './certificates';
import type { FindPermit } from './find-permit';
import type { ArtifactStore, NodeCertificate, Scheduler } from './ports';

export interface WantedBlob {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly sha256: string;
  readonly offsetBytes: number;
}

const notFound = (): DomainError => new DomainError('not-found', 'BLOB_NOT_FOUND', 'blob not found');

/** A blob that a held lease needs. */
export class FetchBlob {
  constructor(
    private readonly certificates: Certificates,
    private readonly findPermit: FindPermit,
    private readonly reach: BlobReach,
    private readonly store: ArtifactStore,
    private readonly slots: Slots,
  ) {}

  /**
   * Throws `not-found` LEASE_NOT_FOUND for a foreign lease, BLOB_NOT_FOUND for a blob that the lease does not reach or that
   * is not here, `precondition` LEASE_TOKEN_STALE or LEASE_ENDED, `exhausted` TRANSFERS_TOO_MANY.
   */
  async *execute(node: NodeCertificate, wanted: WantedBlob): AsyncGenerator<Uint8Array, void, undefined> {
    refuseMalformed(wanted);
    const release = this.slots.take(node.nodeId);
    try {
      await this.certificates.refuseRevoked(node);
      const held = refuseUnheld(await this.findPermit.execute(wanted.leaseId), node.nodeId, wanted.leaseToken);
      if (!(await this.reach.reaches(held, wanted.sha256))) throw notFound();
      yield* this.certificates.whileGood(node, this.store.read(wanted.sha256, wanted.offsetBytes));
    } finally {
      release();
    }
  }
}

function refuseMalformed({ leaseId, leaseToken, sha256, offsetBytes }: WantedBlob): void {
  const offset = countRule('offset_bytes', offsetBytes);
  refuseInvalid(
    brokenRules([
      uuidRule('lease_id', leaseId),
      tokenRule('lease_token', leaseToken),
      sha256Rule('sha256', sha256),
      offset,
    ]),
  );
}

/** Which blobs a lease reaches: those that its offer names, and what its image's manifest names in turn. */
export class BlobReach {
  constructor(
    private readonly scheduler: Scheduler,
    private readonly store: ArtifactStore,
  ) {}

  /**
   * The paying organisation must own each of them: a manifest is a customer's file and may name a stranger's layer.
   * Throws `unavailable` when the scheduler does not answer.
   */
  async reaches(permit: LeasePermit, sha256: string): Promise<boolean> {
    const named = names(permit, sha256) || (await this.isInImage(permit, sha256));
    return named && this.scheduler.ownsBlob(permit.organisationId, sha256);
  }

  /** An index names manifests, a manifest names config and layers: two steps, no more. */
  private async isInImage({ manifestSha256, organisationId }: LeasePermit, sha256: string): Promise<boolean> {
    if (manifestSha256 === undefined) return false;
    const top = await this.partsOf(organisationId, manifestSha256);
    if (top.blobs.includes(sha256) || top.manifests.includes(sha256)) return true;
    for (const manifest of top.manifests) {
      if ((await this.partsOf(organisationId, manifest)).blobs.includes(sha256)) return true;
    }
    return false;
  }

  private async partsOf(organisationId: string, sha256: string): Promise<ReturnType<typeof partsOfManifest>> {
    const bytes = await this.store.sizeOf(sha256);
    const isReadable =
      bytes !== undefined && bytes <= MANIFEST_BYTES_MAX && (await this.scheduler.ownsBlob(organisationId, sha256));
    if (!isReadable) return { manifests: [], blobs: [] };
    const whole = new Uint8Array(bytes);
    let filled = 0;
    for await (const chunk of this.store.read(sha256, 0)) {
      whole.set(chunk, filled);
      filled += chunk.length;
    }
    return partsOfManifest(whole);
  }
}
