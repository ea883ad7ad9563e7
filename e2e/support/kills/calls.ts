import { createHash } from 'node:crypto';
import type { ServiceName } from '../platform';
import type { Party } from '../market';

/** One HTTP call to the gateway and the service behind it that must answer. */
export interface Call {
  readonly target: ServiceName;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}

export interface Answer {
  readonly ok: boolean;
  /** 0: the connection broke, or nothing came in time. */
  readonly status: number;
  readonly text: string;
  readonly sentMs: number;
  readonly endMs: number;
}

interface Outstanding {
  readonly target: ServiceName;
  readonly answered: Promise<Answer>;
}

const CALL_MS = 15_000;
const SECOND_MS = 1_000;
const BLOB = 'a blob of the load client';
const BLOB_SHA256 = createHash('sha256').update(BLOB).digest('hex');

/** The cheapest call that each service must answer itself; the gateway takes part in all of them. */
export function probeOf(service: ServiceName, customer: Party, jobId: string | undefined): Call {
  const get = (path: string): Call => ({ target: service, method: 'GET', path });
  switch (service) {
    case 'registry':
      return get(`/v1/projects/${customer.projectId}`);
    case 'scheduler':
      return get(jobId === undefined ? `/v1/jobs?projectId=${customer.projectId}&pageSize=1` : `/v1/jobs/${jobId}`);
    case 'dispatch':
      return {
        target: service,
        method: 'PUT',
        path: `/v1/blobs/${BLOB_SHA256}`,
        body: BLOB,
        contentType: 'application/octet-stream',
      };
    case 'metering':
      return get('/v1/discrepancies?pageSize=1');
    case 'billing':
    case 'gateway':
      return get('/v1/balance');
    case 'rewards':
      return get('/v1/epochs?pageSize=1');
  }
}

/** Makes calls and knows, at every moment, which are under way and how many were answered lately. */
export class Caller {
  private readonly outstanding = new Set<Outstanding>();
  private answeredMs: number[] = [];
  /** Calls that were answered well, in all. */
  acknowledged = 0;

  constructor(
    private readonly http: string,
    private readonly key: string,
  ) {}

  async call(call: Call): Promise<Answer> {
    const entry = { target: call.target, answered: this.send(call) };
    this.outstanding.add(entry);
    try {
      const answer = await entry.answered;
      if (answer.ok) {
        this.acknowledged += 1;
        this.answeredMs.push(answer.endMs);
      }
      return answer;
    } finally {
      this.outstanding.delete(entry);
    }
  }

  /** Calls under way that need the service; all of them need the gateway. */
  underWay(service: ServiceName): Promise<Answer>[] {
    const all = [...this.outstanding];
    return (service === 'gateway' ? all : all.filter(({ target }) => target === service)).map(
      (entry) => entry.answered,
    );
  }

  acknowledgedInLastSecond(): number {
    const since = Date.now() - SECOND_MS;
    this.answeredMs = this.answeredMs.filter((ms) => ms > since);
    return this.answeredMs.length;
  }

  private async send({ method, path, body, contentType = 'application/json' }: Call): Promise<Answer> {
    const sentMs = Date.now();
    try {
      const reply = await fetch(this.http + path, {
        method,
        headers: { authorization: `Bearer ${this.key}`, ...(body !== undefined && { 'content-type': contentType }) },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(CALL_MS),
      });
      const text = await reply.text();
      return { ok: reply.ok, status: reply.status, text, sentMs, endMs: Date.now() };
    } catch (error) {
      return { ok: false, status: 0, text: String(error), sentMs, endMs: Date.now() };
    }
  }
}
