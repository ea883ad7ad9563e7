import { refuseInvalid } from '@daya/kernel';
import { Violations } from '../domain/violations';
import { requireRequestId } from './caller';
import type { JobQueries, Store } from './ports';

const SHA256 = /^[0-9a-f]{64}$/;
const BLOB_BYTES_MAX = 1n << 40n;

export interface RegisterBlobCommand {
  readonly requestId: string;
  readonly organisationId: string;
  readonly sha256: string;
  readonly bytes: bigint;
}

/** Notes that an organisation uploaded a blob; noting it again changes nothing. */
export class RegisterBlob {
  constructor(private readonly store: Store) {}

  async execute({ requestId, organisationId, sha256, bytes }: RegisterBlobCommand): Promise<void> {
    const found = new Violations();
    requireRequestId(found, requestId);
    checkOwner(found, organisationId, sha256);
    found.range('bytes', bytes, 0n, BLOB_BYTES_MAX);
    refuseInvalid(found.list);
    const key = { scope: organisationId, method: 'RegisterBlob', requestId, content: `${sha256} ${bytes}` };
    await this.store.transaction('system', (tx) =>
      tx.requests.once(key, sha256, () => tx.blobs.add(organisationId, sha256, bytes)),
    );
  }
}

/** Tells whether an organisation owns a blob: uploaded it, or a job of its own made it. */
export class CheckBlob {
  constructor(private readonly queries: JobQueries) {}

  /** Its size in bytes; undefined when the organisation has no such blob. */
  async execute(organisationId: string, sha256: string): Promise<bigint | undefined> {
    const found = new Violations();
    checkOwner(found, organisationId, sha256);
    refuseInvalid(found.list);
    return this.queries.blob(organisationId, sha256);
  }
}

function checkOwner(found: Violations, organisationId: string, sha256: string): void {
  found.uuid('organisation_id', organisationId);
  found.check('sha256', SHA256.test(sha256), sha256 === '' ? 'REQUIRED' : 'MALFORMED', 'must be 64 hexadecimal digits');
}
