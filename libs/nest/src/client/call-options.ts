import { Metadata } from '@grpc/grpc-js';
import { trace, type Context } from '@opentelemetry/api';
import type { Caller } from '@daya/kernel';
import { CALLER_HEADER } from '../grpc/gate';
import type { Identity } from '../identity/identity';
import { traceparentOf } from '../telemetry/trace-context';

/** A unary call ends after this unless the caller says otherwise or has less time itself. */
export const DEFAULT_DEADLINE_MS = 5_000;

/** The part of a server's CallContext that a call made on its behalf inherits. */
export interface ParentCall {
  readonly deadline: Date | undefined;
  readonly signal: AbortSignal;
  readonly callerToken: string | undefined;
}

export interface CallOptions {
  /** From now, in milliseconds. Streams have none unless it is set. */
  readonly deadlineMs?: number;
  /** The member to vouch for; only the gateway's word is believed. */
  readonly caller?: Caller;
  /** The call that this one serves: passes on its member, never outlives its deadline, ends when it is cancelled. */
  readonly context?: ParentCall;
  /** Leaves the member of `context` out: the peer's method is for services only. */
  readonly asService?: boolean;
  readonly signal?: AbortSignal;
  /** Adds to the headers that identity and trace take. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Unix milliseconds, or undefined for a stream without one. */
export function deadlineOf({ deadlineMs, context }: CallOptions, defaultMs: number | undefined): number | undefined {
  const ms = deadlineMs ?? defaultMs;
  const own = ms === undefined ? Infinity : Date.now() + ms;
  const earliest = Math.min(own, context?.deadline?.getTime() ?? Infinity);
  return Number.isFinite(earliest) ? earliest : undefined;
}

export function signalOf({ signal, context }: CallOptions): AbortSignal | undefined {
  if (context === undefined) return signal;
  return signal === undefined ? context.signal : AbortSignal.any([signal, context.signal]);
}

/** Identity and trace headers of one call. */
export async function metadataOf(
  options: CallOptions,
  identity: Identity | undefined,
  audience: string,
  span: Context,
): Promise<Metadata> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
  const ids = trace.getSpanContext(span);
  if (ids !== undefined) metadata.set('traceparent', traceparentOf(ids.traceId, ids.spanId, ids.traceFlags));
  if (identity === undefined) return metadata;
  metadata.set('authorization', `Bearer ${await identity.serviceToken(audience)}`);
  const member = await memberToken(options, identity);
  if (member !== undefined) metadata.set(CALLER_HEADER, member);
  return metadata;
}

function memberToken(
  { caller, context, asService }: CallOptions,
  identity: Identity,
): string | undefined | Promise<string> {
  if (asService === true) return undefined;
  return caller?.kind === 'member' ? identity.callerToken(caller) : context?.callerToken;
}
