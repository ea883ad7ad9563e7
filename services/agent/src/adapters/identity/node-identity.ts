import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere, writeDurably } from '../files/durable-file';

/** Who this node is; the private key never leaves the state folder. */
export interface NodeIdentity {
  readonly nodeId: string;
  /** Of the certificate; a renewal must name it. */
  readonly generation: number;
  readonly certificateChain: string;
  /** host:port of the platform's mutual-TLS listener. */
  readonly agentAddress: string;
  /** Raw Ed25519, base64: signs lease offers. */
  readonly schedulerPublicKey: string;
  /** Names the renewal that is under way, in hexadecimal; null when none is. */
  readonly renewalNonce: string | null;
}

const STORED = z.object({
  nodeId: z.string(),
  generation: z.number().int(),
  certificateChain: z.string(),
  agentAddress: z.string(),
  schedulerPublicKey: z.string(),
  renewalNonce: z.string().nullable().default(null),
});

/** The node's key and identity on disk. The identity is one file, so a crash never leaves a certificate beside the wrong generation. */
export class IdentityStore {
  private readonly keyPath: string;
  private readonly identityPath: string;

  constructor(stateFolder: string) {
    // Passable but not listable: the sandbox's run folders may lie below; every file of ours is 0600.
    mkdirSync(stateFolder, { recursive: true, mode: 0o711 });
    this.keyPath = join(stateFolder, 'node.key');
    this.identityPath = join(stateFolder, 'node.json');
  }

  /** The node's Ed25519 key; made on the first call. */
  key(): KeyObject {
    const stored = readIfThere(this.keyPath);
    if (stored !== null) return createPrivateKey(stored);
    const { privateKey } = generateKeyPairSync('ed25519');
    writeDurably(this.keyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return privateKey;
  }

  /** Null before enrolment. */
  load(): NodeIdentity | null {
    const stored = readIfThere(this.identityPath);
    return stored === null ? null : STORED.parse(JSON.parse(stored));
  }

  save(identity: NodeIdentity): void {
    writeDurably(this.identityPath, JSON.stringify(identity));
  }
}

/** When a certificate should be renewed: at two thirds of its life. */
export function renewalTime(certificateChain: string): Date {
  const certificate = new X509Certificate(certificateChain);
  const fromMs = new Date(certificate.validFrom).getTime();
  const toMs = new Date(certificate.validTo).getTime();
  return new Date(fromMs + ((toMs - fromMs) * 2) / 3);
}
