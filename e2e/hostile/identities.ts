import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Metadata } from '@grpc/grpc-js';
import type { Caller } from '@daya/kernel';
import { channelCredentials, Identity } from '@daya/nest/client';
import type { Who } from './control';
import { addressOf, type Platform } from './platform';

export type Member = Extract<Caller, { kind: 'member' }>;

/** A node's client certificate, as its enrolment gave it. */
export interface NodeKeys {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const SERVICES: ReadonlySet<string> = new Set(['registry', 'scheduler', 'dispatch']);
const CALLER_HEADER = 'x-daya-caller';
const DEADLINE_MS = 30_000;

/** Everybody's credentials, from the platform's own identity folder; connections are kept. */
export class Identities {
  readonly ca: Buffer;
  private readonly identities = new Map<string, Identity>();
  private readonly channels = new Map<string, Client>();

  constructor(private readonly platform: Platform) {
    this.ca = readFileSync(join(platform.tlsFolder, 'ca.pem'));
  }

  of(service: string): Identity {
    const known = this.identities.get(service);
    if (known !== undefined) return known;
    const { tlsFolder } = this.platform;
    const keyFile = join(tlsFolder, `${service}.jwk.json`);
    const identity = new Identity({ service, keyFile, jwksFile: join(tlsFolder, 'jwks.json') });
    this.identities.set(service, identity);
    return identity;
  }

  /** A connection to the listener of a service that `who` comes to. */
  channel(service: string, who: Who, keys: NodeKeys | undefined): Client {
    const name = `${service}/${who === 'node' || who === 'nobody' ? who : ''}`;
    const known = this.channels.get(name);
    if (known !== undefined) return known;
    const tls = who === 'node' && keys !== undefined ? { ca: this.ca, ...keys } : { ca: this.ca };
    const channel = new Client(this.address(service, who), channelCredentials(tls), {
      'grpc.ssl_target_name_override': service,
      'grpc.max_receive_message_length': 16 * 1_024 * 1_024,
    });
    this.channels.set(name, channel);
    return channel;
  }

  /** Valid headers of a call: identity, and the member whom the gateway vouches for. */
  async metadata(service: string, who: Who, member: Member | undefined): Promise<Metadata> {
    const metadata = new Metadata();
    if (who === 'node' || who === 'nobody') return metadata;
    const from = this.of(SERVICES.has(who) ? who : 'gateway');
    metadata.set('authorization', `Bearer ${await from.serviceToken(service)}`);
    if (member !== undefined) metadata.set(CALLER_HEADER, await from.callerToken(member));
    return metadata;
  }

  deadline(): number {
    return Date.now() + DEADLINE_MS;
  }

  close(): void {
    for (const channel of this.channels.values()) channel.close();
  }

  /** `host:port` of the listener that `who` comes to. */
  address(service: string, who: Who): string {
    if (who === 'node') return addressOf(this.platform, service, 'AGENT_PORT');
    if (who === 'nobody') return addressOf(this.platform, service, 'ENROLMENT_PORT');
    return addressOf(this.platform, service);
  }
}
