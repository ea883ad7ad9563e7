import { Client, Metadata } from '@grpc/grpc-js';
import { channelCredentials } from '@daya/nest';
import { GetNodeRequest, type GetNodeResponse } from '@daya/proto/registry';
import { NODE_ID, SUBJECT } from './subject';

const DEADLINE_MS = 30_000;

/** Headers of the next call, and whether it has a deadline. The raw peer gets neither: it would do nothing with them. */
export interface CallStyle {
  readonly deadline: boolean;
  headers(): Promise<Record<string, string>>;
}

/** Closed-loop load over some connections: a finished call is followed by the next. */
export class Load {
  private readonly clients: Client[];

  constructor(
    port: number,
    ca: Buffer,
    private readonly style: CallStyle,
    connections: number,
  ) {
    this.clients = Array.from(
      { length: connections },
      () =>
        new Client(`127.0.0.1:${port}`, channelCredentials({ ca }), {
          'grpc.ssl_target_name_override': 'registry',
          'grpc.use_local_subchannel_pool': 1,
        }),
    );
  }

  /** Makes `calls` calls, `inFlight` at a time. Rejects with the first call that fails. */
  async run(calls: number, inFlight: number): Promise<void> {
    let left = calls;
    const worker = async (client: Client): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await this.call(client);
      }
    };
    const workers = Array.from({ length: inFlight }, (_, index) => this.clients[index % this.clients.length] as Client);
    await Promise.all(workers.map(worker));
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  private async call(client: Client): Promise<void> {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(await this.style.headers())) metadata.set(name, value);
    const options = this.style.deadline ? { deadline: Date.now() + DEADLINE_MS } : {};
    const { path, requestSerialize, responseDeserialize } = SUBJECT.getNode;
    await new Promise<GetNodeResponse>((resolve, reject) => {
      const request = GetNodeRequest.fromPartial({ nodeId: NODE_ID });
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        options,
        (error, reply) =>
          error !== null || reply === undefined ? reject(error ?? new Error('no reply')) : resolve(reply),
      );
    });
  }
}
