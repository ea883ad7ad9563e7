import { X509Certificate } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type {
  Metadata,
  ServerUnaryCall,
  ServerDuplexStream,
  ServerReadableStream,
  ServerWritableStream,
} from '@grpc/grpc-js';
import type { Caller } from '@daya/kernel';
import type { NodeIdentity } from '../identity/tls';
import type { Logger } from '../telemetry/logger';

/** Any of grpc-js's server calls, over bytes. */
export type ServerCall =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerReadableStream<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

/** What a handler knows about its call. */
export interface CallContext {
  readonly caller: Caller;
  /** Always set for unary calls; streams may go without. */
  readonly deadline: Date | undefined;
  /** Aborts when the client leaves, the deadline passes, or the server ends the stream. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly metadata: Metadata;
  /** The node that calls, on the agents' listener; its certificate was checked against the CA, not against revocation. */
  readonly node: NodeIdentity | undefined;
  /** The gateway's word about the member, to pass on to a peer within this call; undefined for a service's own call. */
  readonly callerToken: string | undefined;
  /** The client's address and port, as the socket says. */
  readonly peer: string;
  /** The client's certificate when the listener asked for one. */
  peerCertificate(): X509Certificate | undefined;
}

export interface Admitted {
  readonly caller: Caller;
  readonly node?: NodeIdentity;
  readonly callerToken?: string;
}

/** Signal and logger are made when first asked for: most unary calls need neither. */
export class GrpcCallContext implements CallContext {
  private controller: AbortController | undefined;
  private childLog: Logger | undefined;
  private finished = false;

  constructor(
    private readonly call: ServerCall,
    private readonly path: string,
    private readonly admitted: Admitted,
    private readonly rootLog: Logger,
  ) {}

  get caller(): Caller {
    return this.admitted.caller;
  }

  get node(): NodeIdentity | undefined {
    return this.admitted.node;
  }

  get callerToken(): string | undefined {
    return this.admitted.callerToken;
  }

  get metadata(): Metadata {
    return this.call.metadata;
  }

  get deadline(): Date | undefined {
    const deadline = this.call.getDeadline();
    if (deadline instanceof Date) return deadline;
    return Number.isFinite(deadline) ? new Date(deadline) : undefined;
  }

  get log(): Logger {
    this.childLog ??= this.rootLog.child({ rpc: this.path, ...callerFields(this.admitted) });
    return this.childLog;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.call.cancelled && !this.finished) this.controller.abort();
      else (this.call as EventEmitter).once('cancelled', () => this.abort(undefined));
    }
    return this.controller.signal;
  }

  /** Aborts the signal with a reason, unless the call is over. */
  abort(reason: Error | undefined): void {
    if (!this.finished) this.controller?.abort(reason);
  }

  /** grpc-js says `cancelled` after every call, also a good one; from here on that aborts nothing. */
  finish(): void {
    this.finished = true;
  }

  get peer(): string {
    return this.call.getPeer();
  }

  peerCertificate(): X509Certificate | undefined {
    return certificateOf(this.call);
  }
}

export function certificateOf(call: ServerCall): X509Certificate | undefined {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  return raw === undefined ? undefined : new X509Certificate(raw);
}

function callerFields({ caller, node }: Admitted): Record<string, string> {
  if (node !== undefined) return { node_id: node.nodeId };
  return caller.kind === 'system'
    ? { caller: caller.service }
    : { caller: 'member', organisation_id: caller.organisationId };
}
