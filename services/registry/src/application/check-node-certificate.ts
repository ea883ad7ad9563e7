import type { Clock } from '@daya/kernel';
import { isCurrent } from '../domain/certificate';
import { Fields } from '../domain/fields';
import type { Store } from './ports';

export interface CertificateCheck {
  readonly valid: boolean;
  /** Raw Ed25519, hexadecimal; empty when there is no such generation. */
  readonly publicKey: string;
  readonly emulated: boolean;
}

const GENERATION_MAX = 999_999_999;

/** Tells whether a certificate still speaks for its node; an unknown node's never does. */
export class CheckNodeCertificate {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  execute(nodeId: string, generation: number): Promise<CertificateCheck> {
    const fields = new Fields();
    fields.id('node_id', nodeId);
    fields.range('generation', generation, 1, GENERATION_MAX);
    fields.refuse();
    return this.store.transaction('system', async (tx) => {
      const node = await tx.fleet.node(nodeId);
      const certificate = await tx.fleet.certificate(nodeId, generation);
      if (node === undefined || certificate === undefined)
        return { valid: false, publicKey: '', emulated: node?.emulated ?? false };
      const successor = await tx.fleet.certificate(nodeId, generation + 1);
      const valid = node.revokeTime === undefined && isCurrent(certificate, successor, this.clock.now());
      return { valid, publicKey: certificate.publicKey, emulated: node.emulated };
    });
  }
}
