import { DomainError, refuseInvalid, type Caller } from '@daya/kernel';
import { brokenRules, countRule, sha256Rule } from '../domain/shapes';
import type { Slots } from '../domain/slots';
import type { ArtifactStore, Scheduler, StableIds } from './ports';

type Member = Extract<Caller, { kind: 'member' }>;

/** Blobs belong to organisations; a service has none of its own. Throws `denied` MEMBERS_ONLY. */
function memberOf(caller: Caller): Member {
  if (caller.kind === 'member') return caller;
  throw new DomainError('denied', 'MEMBERS_ONLY', 'blobs belong to organisations');
}

/** Stores a blob for the caller's organisation. Safe to repeat: the same content is the same blob. */
export class UploadBlob {
  constructor(
    private readonly store: ArtifactStore,
    private readonly scheduler: Scheduler,
    private readonly stableIds: StableIds,
    private readonly slots: Slots,
  ) {}

  /**
   * Answers with the bytes stored. The content is asked for even when the blob is here: whoever names a hash must hold it.
   * Throws what the store throws, `exhausted` TRANSFERS_TOO_MANY.
   */
  async execute(caller: Caller, sha256: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    const { organisationId } = memberOf(caller);
    refuseInvalid(brokenRules([sha256Rule('sha256', sha256)]));
    const release = this.slots.take(organisationId);
    try {
      const bytes = await this.store.put({ sha256, bytes: undefined }, chunks);
      const requestId = this.stableIds.of('blob', organisationId, sha256);
      await this.scheduler.registerBlob({ requestId, organisationId, sha256, bytes });
      return bytes;
    } finally {
      release();
    }
  }
}

/** Reads a blob that the caller's organisation owns; a foreign one answers like a missing one. */
export class DownloadBlob {
  constructor(
    private readonly store: ArtifactStore,
    private readonly scheduler: Scheduler,
    private readonly slots: Slots,
  ) {}

  /** Throws `not-found` BLOB_NOT_FOUND, `invalid` OFFSET_OUT_OF_RANGE, `exhausted` TRANSFERS_TOO_MANY. */
  async *execute(caller: Caller, sha256: string, offsetBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    const member = memberOf(caller);
    refuseInvalid(brokenRules([sha256Rule('sha256', sha256), countRule('offset_bytes', offsetBytes)]));
    const release = this.slots.take(member.organisationId);
    try {
      const mayRead = member.operator || (await this.scheduler.ownsBlob(member.organisationId, sha256));
      if (!mayRead) throw new DomainError('not-found', 'BLOB_NOT_FOUND', 'blob not found');
      yield* this.store.read(sha256, offsetBytes);
    } finally {
      release();
    }
  }
}
