import { DomainError, isUuid } from '@daya/kernel';
import type { LogChunk } from '../domain/frames';
import { refuseForeign } from '../domain/lease-permit';
import { KIB, LOG_CHUNK_BYTES_MAX } from '../domain/limits';
import { addChunk } from '../domain/run-log';
import type { AgentStream } from './agent-stream';
import type { FindPermit } from './find-permit';
import type { Counters, RunLogs } from './ports';

const BYTES_WAITING_MAX = 512 * KIB;

/** Keeps what containers print, in order and up to the limit. Only the lease's own node writes to its log. */
export class StoreLog {
  constructor(
    private readonly findPermit: FindPermit,
    private readonly logs: RunLogs,
    private readonly counters: Counters,
    private readonly limitBytes: number,
  ) {}

  /** Resolves when the stream may be read on: at once, while little waits to be written. */
  async execute(stream: AgentStream, chunk: LogChunk): Promise<void> {
    const { length } = chunk.data;
    if (length > LOG_CHUNK_BYTES_MAX || !isUuid(chunk.leaseId) || chunk.offsetBytes < 0n) {
      return this.counters.dropped('log', 'CHUNK_INVALID');
    }
    stream.logBytesWaiting += length;
    stream.logTail = stream.logTail.then(async () => {
      await this.write(stream.nodeId, chunk).catch((error: unknown) => this.dropped(error));
      stream.logBytesWaiting -= length;
    });
    if (stream.logBytesWaiting > BYTES_WAITING_MAX) await stream.logTail;
  }

  private async write(nodeId: string, chunk: LogChunk): Promise<void> {
    refuseForeign(await this.findPermit.execute(chunk.leaseId), nodeId, chunk.leaseToken);
    await this.logs.write(chunk.leaseId, (log) => addChunk(log, chunk, this.limitBytes));
  }

  private dropped(error: unknown): void {
    this.counters.dropped('log', error instanceof DomainError ? error.reason : 'LOG_NOT_STORED');
    if (!(error instanceof DomainError)) this.counters.failed('log', error);
  }
}
