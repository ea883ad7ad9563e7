import { Catch, type ExceptionFilter } from '@nestjs/common';
import { Server, Transport, type CustomTransportStrategy } from '@nestjs/microservices';
import type { BoundMethod } from './bound-method';
import { Listener, type ListenerOptions, type ListenerParts } from './listener';

export type StrategyParts = Omit<ListenerParts, 'handlerOf'>;

/** Nest's default filters would turn errors into observables; the wrapper's one catch wants them as they are. */
@Catch()
export class RethrowFilter implements ExceptionFilter {
  catch(error: unknown): never {
    throw error;
  }
}

/** Nest's gRPC transport for Daya: generated codecs instead of proto files, the wrapper instead of rx, several listeners. */
export class GrpcStrategy extends Server implements CustomTransportStrategy {
  override readonly transportId = Transport.GRPC;
  private listeners: readonly Listener[] = [];

  constructor(
    private readonly options: readonly ListenerOptions[],
    private readonly parts: StrategyParts,
  ) {
    super();
  }

  /** Nest calls this when controllers are ready. A missing handler or rule is an error here, before any port opens. */
  override listen(callback: (error?: unknown) => void): void {
    this.open().then(() => callback(), callback);
  }

  /** Nest calls this last; whoever wants a graceful end drains first. */
  override close(): void {
    for (const listener of this.listeners) listener.close();
  }

  override on(): never {
    throw new Error('the gRPC transport has no events');
  }

  override unwrap<T>(): T {
    return this.listeners as T;
  }

  setServing(serving: boolean): void {
    for (const listener of this.listeners) listener.health.setServing(serving);
  }

  async drain(drainMs: number): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.drain(drainMs)));
  }

  /** Listener name → port. */
  get ports(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.listeners.map((listener) => [listener.name, listener.port]));
  }

  private async open(): Promise<void> {
    const handlerOf = (path: string): BoundMethod['invoke'] => {
      const handler = this.messageHandlers.get(path);
      if (handler === undefined) throw new Error(`no controller handles ${path}`);
      return handler as unknown as BoundMethod['invoke'];
    };
    this.listeners = this.options.map((options) => new Listener(options, { ...this.parts, handlerOf }));
    await Promise.all(this.listeners.map((listener) => listener.listen()));
  }
}
