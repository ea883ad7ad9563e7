import type { KeyObject } from 'node:crypto';
import { credentials } from '@grpc/grpc-js';
import { AgentServiceClient } from '@daya/proto/dispatch';

export interface ChannelSettings {
  readonly caCertificate: Buffer;
  readonly serverName: string | null;
  readonly key: KeyObject;
  /** A silent connection is asked for a sign of life this often; without one it is closed after as long again. */
  readonly keepaliveMs: number;
}

const MAX_MESSAGE_BYTES = 1 << 20;

/** The mutual-TLS channel to the platform. It is replaced when the certificate is renewed or the platform sends the agent elsewhere. */
export class PlatformChannel {
  private current: AgentServiceClient;

  constructor(
    private readonly settings: ChannelSettings,
    private address: string,
    private certificateChain: string,
  ) {
    this.current = this.newClient();
  }

  get client(): AgentServiceClient {
    return this.current;
  }

  moveTo(address: string): void {
    this.address = address;
    this.replace();
  }

  renewed(certificateChain: string): void {
    this.certificateChain = certificateChain;
    this.replace();
  }

  close(): void {
    this.current.close();
  }

  /** Calls of the old channel go on to their end. */
  private replace(): void {
    const old = this.current;
    this.current = this.newClient();
    old.close();
  }

  private newClient(): AgentServiceClient {
    const { caCertificate, serverName, key, keepaliveMs } = this.settings;
    const privateKey = Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
    const secure = credentials.createSsl(caCertificate, privateKey, Buffer.from(this.certificateChain));
    return new AgentServiceClient(this.address, secure, {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveMs,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
      ...(serverName === null ? {} : { 'grpc.ssl_target_name_override': serverName }),
    });
  }
}
