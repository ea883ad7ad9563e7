import { AsyncResource } from 'node:async_hooks';
import { TraceKeeper } from '../application/ports';

/** Traces follow Node's asynchronous context. */
export class AsyncTraceKeeper extends TraceKeeper {
  override keep<A extends unknown[], R>(work: (...given: A) => R): (...given: A) => R {
    return AsyncResource.bind(work);
  }
}
