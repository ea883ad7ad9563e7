import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { ConnectRequest, ConnectResponse, ServerFrame } from '@daya/proto/dispatch';
import type { AgentMessage, PlatformMessage } from '../../application/messages';
import { PlatformLink } from '../../application/ports';
import type { AgentLog, Alarms } from '../../application/ports';
import { reconnectDelayMs } from '../../domain/timers';
import type { AgentTimers } from '../../domain/timers';
import type { PlatformChannel } from './platform-channel';
import { fromProtoFrame, toProtoFrame } from './proto';
import type { HelloFacts, VerifyOffer } from './proto';

/** What the agent does with the stream. */
export interface StreamListener {
  connected(): void;
  handle(message: PlatformMessage): void;
}

interface StreamParts {
  readonly channel: PlatformChannel;
  readonly homeAddress: string;
  readonly hello: HelloFacts;
  readonly verify: VerifyOffer;
  readonly timers: AgentTimers;
  readonly alarms: Alarms;
  readonly random: () => number;
  readonly log: AgentLog;
}

/** A stream that is not welcomed within this many heartbeats is tried again; later the channel's keepalive watches over it. */
const WELCOME_HEARTBEATS = 3;
const REDIRECT_TRIES = 3;

/** The agent's one stream. It is opened again for ever, with a growing, jittered pause; nothing but hello is sent before the welcome. */
export class PlatformStream extends PlatformLink {
  private call: ClientDuplexStream<ConnectRequest, ConnectResponse> | null = null;
  private welcomed = false;
  private stopped = false;
  private attempt = 0;
  private away = false;
  private listener: StreamListener | null = null;
  private disarmReconnect: () => void = () => undefined;
  private disarmWelcome: () => void = () => undefined;

  constructor(private readonly parts: StreamParts) {
    super();
  }

  /** Opens the stream; returns at once. */
  start(listener: StreamListener): void {
    this.listener = listener;
    this.open();
  }

  send(message: AgentMessage): boolean {
    if (this.call === null || (!this.welcomed && message.type !== 'hello')) return false;
    this.call.write({ frame: toProtoFrame(message, this.parts.hello) });
    return true;
  }

  /** Ends the present stream and opens a new one without a pause, for a new certificate. */
  reopen(): void {
    if (this.stopped) return;
    this.drop();
    this.open();
  }

  /** Lets what was written go out, then closes for good. */
  async stop(graceMs: number): Promise<void> {
    this.stopped = true;
    this.disarmReconnect();
    this.disarmWelcome();
    const { call } = this;
    this.call = null;
    if (call === null) return;
    await new Promise<void>((resolve) => {
      const disarm = this.parts.alarms.after(graceMs, resolve);
      call.once('close', () => {
        disarm();
        resolve();
      });
      call.end();
    });
    call.cancel();
  }

  private open(): void {
    this.welcomed = false;
    const call = this.parts.channel.client.connect();
    this.call = call;
    const lost = (why: string): void => {
      if (this.call === call) this.lost(why);
    };
    call.on('data', (response: ConnectResponse) => {
      if (this.call === call && response.frame !== undefined) this.receive(response.frame);
    });
    call.on('error', (error) => lost(error.message));
    call.on('end', () => lost('the platform ended the stream'));
    this.disarmWelcome();
    this.disarmWelcome = this.parts.alarms.after(this.parts.timers.heartbeatMs * WELCOME_HEARTBEATS, () =>
      lost('no welcome'),
    );
    this.listener?.connected();
  }

  private receive(frame: ServerFrame): void {
    if (frame.frame?.$case === 'redirect') return this.redirect(frame.frame.value.agentAddress);
    let message: PlatformMessage | null;
    try {
      message = fromProtoFrame(frame, this.parts.verify);
    } catch (error) {
      this.parts.log.warn('frame ignored', { frame: frame.frame?.$case, error: String(error) });
      return;
    }
    if (message === null) return this.parts.log.warn('frame ignored', { frame: frame.frame?.$case ?? 'unknown' });
    if (message.type === 'welcome') this.welcome();
    this.listener?.handle(message);
  }

  private welcome(): void {
    this.disarmWelcome();
    this.welcomed = true;
    this.attempt = 0;
    this.away = false;
    this.parts.log.info('connected', {});
  }

  private redirect(address: string): void {
    this.parts.log.info('redirected', { address });
    this.away = true;
    this.parts.channel.moveTo(address);
    this.reopen();
  }

  private lost(why: string): void {
    this.drop();
    if (this.stopped) return;
    const delayMs = reconnectDelayMs(this.parts.timers, this.attempt, this.parts.random());
    this.attempt += 1;
    this.parts.log.warn('stream lost', { why, delayMs });
    // The address of a redirect may be gone; the one of the enrolment is always there.
    if (this.away && this.attempt > REDIRECT_TRIES) {
      this.away = false;
      this.parts.channel.moveTo(this.parts.homeAddress);
    }
    this.disarmReconnect = this.parts.alarms.after(delayMs, () => this.open());
  }

  private drop(): void {
    const { call } = this;
    this.call = null;
    this.welcomed = false;
    this.disarmWelcome();
    call?.cancel();
  }
}
