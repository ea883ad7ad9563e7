// A program of its own: in jest's own process an unhandled rejection cannot be seen.
import { status, type ServiceError } from '@grpc/grpc-js';
import { GrpcBlobExchange } from '../../src/adapters/dispatch/blob-exchange';
import type { PlatformChannel } from '../../src/adapters/dispatch/platform-channel';

type Answer = (error: ServiceError | null) => void;

const LEASE = { leaseId: '018f3e6a-0000-7000-8000-000000000001', leaseToken: 1n };
const unavailable = Object.assign(new Error('connection refused'), { code: status.UNAVAILABLE }) as ServiceError;
const answers: Answer[] = [];
const channel = {
  client: {
    uploadArtifact: (_options: object, answer: Answer) => {
      answers.push(answer);
      return { write: () => true, once: () => undefined, end: () => answer(null) };
    },
  },
} as unknown as PlatformChannel;

/** While the file of the first try is read, the platform goes away. */
async function* slowFile(): AsyncGenerator<Uint8Array> {
  if (answers.length === 1) {
    answers[0]?.(unavailable);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  yield Buffer.from('done');
}

const alarms = {
  after: (_delayMs: number, fire: () => void) => {
    setImmediate(fire);
    return () => undefined;
  },
};
void new GrpcBlobExchange(channel, alarms)
  .upload(LEASE, { path: 'result.txt', sizeBytes: 4, digest: `sha256:${'0'.repeat(64)}`, open: slowFile }, () => true)
  .then(() => process.stdout.write(`delivered at try ${answers.length}`));
