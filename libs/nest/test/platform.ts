import 'reflect-metadata';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import * as x509 from '@peculiar/x509';
import { Authority, createPlatformIdentity, issueNodeCertificate } from '@daya/pki';
import {
  baseConfigShape,
  createClient,
  createLogger,
  Identity,
  loadConfig,
  loadTls,
  runService,
  type RunningService,
  type ServiceOptions,
  type TlsFiles,
} from '../src/index';
import { z } from 'zod';
import { AgentController, EchoController, EnrolmentController, Seen } from './echo-controller';
import { AgentService, ECHO_AUTHZ, EchoService, EnrolmentService } from './echo-service';

const SERVICES = ['echo', 'scheduler', 'billing', 'rewards', 'gateway'];
export const NODE_ID = '0197a0a0-0000-7000-8000-000000000009';

/** Certificates and keys of a small platform in a folder of its own. */
export class TestPlatform {
  readonly folder = mkdtempSync(join(tmpdir(), 'daya-nest-'));
  readonly logLines: string[] = [];
  readonly seen = new Seen();

  async setUp(): Promise<void> {
    await createPlatformIdentity(this.folder, SERVICES);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  env(service: string): Record<string, string> {
    return {
      GRPC_PORT: '0',
      ADMIN_PORT: '0',
      BIND_ADDRESS: '127.0.0.1',
      TLS_FOLDER: this.folder,
      IDENTITY_KEY_FILE: join(this.folder, `${service}.jwk.json`),
      JWKS_FILE: join(this.folder, 'jwks.json'),
      DRAIN_MS: '2000',
    };
  }

  identity(service: string, nowMs?: () => number): Identity {
    const keyFile = join(this.folder, `${service}.jwk.json`);
    const jwksFile = join(this.folder, 'jwks.json');
    return new Identity({ service, keyFile, jwksFile, ...(nowMs === undefined ? {} : { nowMs }) });
  }

  tls(service = 'scheduler'): TlsFiles {
    return loadTls(this.folder, service);
  }

  /** A provider node's certificate, as the registry would sign it. */
  async nodeTls(): Promise<TlsFiles> {
    const keys = (await webcrypto.subtle.generateKey({ name: 'Ed25519' }, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      keys,
      signingAlgorithm: { name: 'Ed25519' },
    });
    const read = (name: string): string => readFileSync(join(this.folder, name), 'utf8');
    const authority = await Authority.load({ certificate: read('ca.pem'), privateKey: read('ca.key.pem') });
    const validity = { notBefore: new Date(), notAfter: new Date(Date.now() + 3_600_000) };
    const der = new Uint8Array(request.rawData);
    const issued = await issueNodeCertificate(authority, { der, nodeId: NODE_ID, generation: 2, ...validity });
    const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
    return { ca: Buffer.from(read('ca.pem')), cert: Buffer.from(issued.certificate), key: Buffer.from(key) };
  }

  /** The echo service with all three kinds of listener. */
  async start(overrides: Partial<ServiceOptions> = {}, env: Record<string, string> = {}): Promise<RunningService> {
    const config = loadConfig(z.object(baseConfigShape), { ...this.env('echo'), ...env });
    const log = createLogger(
      { LOG_LEVEL: 'debug', SERVICE: 'echo' },
      { write: (line) => void this.logLines.push(line) },
    );
    return runService({
      name: 'echo',
      config,
      module: {
        module: class EchoModule {} as Type,
        controllers: [EchoController, AgentController, EnrolmentController],
        providers: [{ provide: Seen, useValue: this.seen }],
      },
      grpc: [EchoService],
      listeners: [
        { name: 'agents', port: 0, audience: 'agents', services: [AgentService] },
        { name: 'enrolment', port: 0, audience: 'anonymous', services: [EnrolmentService] },
      ],
      maxRequestBytes: { [EchoService.change.path]: 1024 * 1024 },
      authz: ECHO_AUTHZ,
      ownsProcess: false,
      log,
      ...overrides,
    });
  }

  client(running: RunningService, service = 'scheduler', identity: Identity | undefined = this.identity(service)) {
    return createClient(EchoService, {
      url: `127.0.0.1:${running.ports.grpc}`,
      audience: 'echo',
      identity,
      tls: { ca: this.tls().ca },
    });
  }
}

/** An Ed25519 key that no JWKS knows. */
export const strangerKey = () => generateKeyPairSync('ed25519').privateKey;

export async function eventually(holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`not so after ${timeoutMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
