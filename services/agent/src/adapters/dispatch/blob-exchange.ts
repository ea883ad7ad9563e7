import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import type { UploadArtifactRequest } from '@daya/proto/dispatch';
import { BlobExchange, BlobMissing, BlobSource, OutputInvalid, UploadRefused } from '../../application/ports';
import type { Alarms, CollectedArtifact } from '../../application/ports';
import type { LeaseRef } from '../../application/messages';
import { hexOf } from './digests';
import type { PlatformChannel } from './platform-channel';

const CALL_DEADLINE_MS = 30 * 60_000;
const CHUNK_BYTES = 128 << 10;
const FETCH_TRIES = 6;
/** Too large or too many for the moment: which of the two shows only by trying. */
const FULL_TRIES = 8;
const RETRY_PAUSE_MS = 500;
const RETRIED: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.CANCELLED,
]);

/** Blobs and artifacts over the platform channel, on behalf of a held lease. */
export class GrpcBlobExchange extends BlobExchange {
  constructor(
    private readonly channel: PlatformChannel,
    private readonly alarms: Alarms,
  ) {
    super();
  }

  sourceFor(lease: LeaseRef): BlobSource {
    return new LeaseBlobs(lease, this.channel, this.alarms);
  }

  async upload(lease: LeaseRef, artifact: CollectedArtifact, wanted: () => boolean): Promise<void> {
    for (let fullTries = 0; ;) {
      try {
        return await this.uploadOnce(lease, artifact);
      } catch (error) {
        fullTries += (error as ServiceError).code === status.RESOURCE_EXHAUSTED ? 1 : 0;
        if (fullTries >= FULL_TRIES)
          throw new OutputInvalid(`the platform does not take ${artifact.path}: ${(error as ServiceError).details}`);
        if (!isRetried(error)) throw new UploadRefused(`artifact ${artifact.path}: ${String(error)}`);
        if (!wanted()) throw new UploadRefused('the lease ended before its artifacts were delivered');
        await pause(this.alarms, RETRY_PAUSE_MS);
      }
    }
  }

  private async uploadOnce(lease: LeaseRef, artifact: CollectedArtifact): Promise<void> {
    let settle: (error: ServiceError | null) => void = () => undefined;
    let ended = false;
    const answered = new Promise<void>(
      (resolve, reject) => (settle = (error) => (error === null ? resolve() : reject(error))),
    );
    // The refusal may come while a file is being read and nobody waits for it yet; the last line still throws it.
    answered.catch(() => undefined);
    const call = this.channel.client.uploadArtifact({ deadline: deadline() }, (error) => {
      ended = true;
      settle(error);
    });
    const write = (request: UploadArtifactRequest): Promise<void> | undefined => {
      if (ended || call.write(request)) return undefined;
      return new Promise((resolve) => {
        call.once('drain', resolve);
        // An answer before the end is a refusal; nothing will drain any more.
        answered.then(resolve, resolve);
      });
    };
    const header = {
      leaseId: lease.leaseId,
      leaseToken: lease.leaseToken,
      sha256: hexOf(artifact.digest),
      bytes: BigInt(artifact.sizeBytes),
    };
    await write({ header, chunk: Buffer.alloc(0) });
    for await (const bytes of artifact.open()) {
      for (let at = 0; at < bytes.length && !ended; at += CHUNK_BYTES)
        await write({ chunk: Buffer.from(bytes.subarray(at, at + CHUNK_BYTES)) });
    }
    if (!ended) call.end();
    await answered;
  }
}

/** Goes on from where a broken call stopped; the receiver checks the digest of the whole. */
class LeaseBlobs extends BlobSource {
  constructor(
    private readonly lease: LeaseRef,
    private readonly channel: PlatformChannel,
    private readonly alarms: Alarms,
  ) {
    super();
  }

  async *fetch(blob: { readonly digest: string }): AsyncGenerator<Uint8Array> {
    let offsetBytes = 0;
    for (let tries = 1; ; tries += 1) {
      try {
        const request = { ...this.lease, sha256: hexOf(blob.digest), offsetBytes: BigInt(offsetBytes) };
        for await (const { chunk } of this.channel.client.fetchBlob(request, { deadline: deadline() })) {
          offsetBytes += chunk.length;
          yield chunk;
          tries = 1;
        }
        return;
      } catch (error) {
        if ((error as ServiceError).code === status.NOT_FOUND) throw new BlobMissing(`no blob ${blob.digest}`);
        if (!isRetried(error) || tries >= FETCH_TRIES) throw error;
        await pause(this.alarms, RETRY_PAUSE_MS * tries);
      }
    }
  }
}

function isRetried(error: unknown): boolean {
  return RETRIED.has((error as ServiceError).code);
}

function deadline(): Date {
  return new Date(Date.now() + CALL_DEADLINE_MS);
}

function pause(alarms: Alarms, delayMs: number): Promise<void> {
  return new Promise((resolve) => alarms.after(delayMs, resolve));
}
