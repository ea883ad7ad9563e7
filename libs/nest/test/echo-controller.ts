import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@daya/kernel';
import type { Status } from '@daya/proto/google';
import { GrpcService, traceparent, type CallContext, type GrpcHandlers } from '../src/index';
import { AgentService, EchoService, EnrolmentService, status } from './echo-service';

/** What the handlers saw; tests read it. */
export class Seen {
  readonly contexts: CallContext[] = [];
  produced = 0;
  consumed = 0;
  aborted = 0;
  finished = 0;
  traceparents: (string | undefined)[] = [];
}

@GrpcService(EchoService, [Seen])
export class EchoController implements GrpcHandlers<typeof EchoService> {
  constructor(private readonly seen: Seen) {}

  async echo(request: Status, context: CallContext): Promise<Status> {
    this.seen.contexts.push(context);
    this.seen.traceparents.push(traceparent());
    switch (request.message) {
      case 'refuse':
        throw new DomainError('precondition', 'INSUFFICIENT_FUNDS', 'not enough money\ud800', { needed: '5' }, [
          { field: 'spec.image', description: 'is empty', reason: 'REQUIRED' },
        ]);
      case 'bug':
        throw new Error('password=hunter2');
      case 'partial':
        return { code: 1 } as Status;
      case 'slow':
        await sleep(300);
        this.seen.finished += 1;
        return request;
      case 'hang':
        await sleep(60_000, undefined, { signal: context.signal }).catch(() => (this.seen.aborted += 1));
        return request;
      default:
        return request;
    }
  }

  async change(request: Status): Promise<Status> {
    return request;
  }

  async operate(request: Status): Promise<Status> {
    return request;
  }

  async *watch(request: Status, context: CallContext): AsyncIterable<Status> {
    this.seen.contexts.push(context);
    for (let index = 0; index < request.code; index += 1) {
      this.seen.produced += 1;
      yield status(request.message, index);
    }
    if (request.message === 'fail') throw new DomainError('aborted', 'STALE', 'read again');
    if (request.message === 'wait') await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
    if (request.message === 'deaf') await new Promise(() => undefined);
    this.seen.finished += 1;
  }

  async collect(requests: AsyncIterable<Status>): Promise<Status> {
    let sum = 0;
    for await (const request of requests) {
      if (request.message === 'stop') throw new DomainError('exhausted', 'ENOUGH', 'no more');
      if (request.message === 'early') return status('early', sum);
      sum += request.code;
      this.seen.consumed += 1;
    }
    return status('sum', sum);
  }

  async *chat(requests: AsyncIterable<Status>): AsyncIterable<Status> {
    try {
      for await (const request of requests) {
        this.seen.consumed += 1;
        if (request.message === 'pause') await sleep(400);
        yield request;
      }
      yield status('bye');
    } finally {
      this.seen.finished += 1;
    }
  }
}

@GrpcService(AgentService, [])
export class AgentController implements GrpcHandlers<typeof AgentService> {
  async ping(_request: Status, context: CallContext): Promise<Status> {
    return status(`${context.node?.nodeId} ${context.node?.generation} ${context.peerCertificate()?.subject}`);
  }

  async secret(request: Status): Promise<Status> {
    return request;
  }
}

@GrpcService(EnrolmentService, [])
export class EnrolmentController implements GrpcHandlers<typeof EnrolmentService> {
  async enrol(request: Status, context: CallContext): Promise<Status> {
    return status(`${request.message} ${context.caller.kind === 'system' ? context.caller.service : '?'}`);
  }
}
