import type { Clock } from '@daya/kernel';
import { isCurrent, type CertificateId } from '../domain/certificate';
import { Fields } from '../domain/fields';
import type { Store } from './ports';

export interface CertificateCheck {
  readonly valid: boolean;
  /** Raw Ed25519, hexadecimal; empty when there is no such generation. */
  readonly publicKey: string;
  readonly emulated: boolean;
}

export const CHECKS_MAX = 100;
const GENERATION_MAX = 999_999_999;

/** Tells whether certificates still speak for their nodes; an unknown node's never does. */
export class CheckNodeCertificate {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  /** Throws `invalid`. */
  async execute(certificate: CertificateId): Promise<CertificateCheck> {
    const fields = new Fields();
    checkId(fields, '', certificate);
    fields.refuse();
    const [check] = await this.check([certificate]);
    if (check === undefined) throw new Error('a certificate was not checked');
    return check;
  }

  /** Up to 100 in a few statements; answers in the order of the questions. Throws `invalid`. */
  async executeAll(certificates: readonly CertificateId[]): Promise<readonly CertificateCheck[]> {
    const fields = new Fields();
    if (certificates.length === 0) fields.add('certificates', 'REQUIRED', 'must not be empty');
    if (certificates.length > CHECKS_MAX)
      fields.add('certificates', 'TOO_MANY', `must have at most ${CHECKS_MAX} certificates`);
    for (const [index, one] of certificates.slice(0, CHECKS_MAX).entries())
      checkId(fields, `certificates[${index}].`, one);
    fields.refuse();
    return this.check(certificates);
  }

  private check(wanted: readonly CertificateId[]): Promise<readonly CertificateCheck[]> {
    return this.store.transaction('system', async (tx) => {
      const nodes = new Map(
        (await tx.fleet.nodes(wanted.map(({ nodeId }) => nodeId))).map((node) => [node.nodeId, node]),
      );
      const withSuccessors = wanted.flatMap((one) => [one, successorOf(one)]);
      const known = new Map((await tx.fleet.certificates(withSuccessors)).map((one) => [keyOf(one), one]));
      const now = this.clock.now();
      return wanted.map((one) => {
        const [node, certificate] = [nodes.get(one.nodeId), known.get(keyOf(one))];
        if (node === undefined || certificate === undefined)
          return { valid: false, publicKey: '', emulated: node?.emulated ?? false };
        const current = isCurrent(certificate, known.get(keyOf(successorOf(one))), now);
        const valid = node.revokeTime === undefined && current;
        return { valid, publicKey: certificate.publicKey, emulated: node.emulated };
      });
    });
  }
}

function checkId(fields: Fields, prefix: string, { nodeId, generation }: CertificateId): void {
  fields.uuid(`${prefix}node_id`, nodeId);
  fields.range(`${prefix}generation`, generation, 1, GENERATION_MAX);
}

const successorOf = ({ nodeId, generation }: CertificateId): CertificateId => ({ nodeId, generation: generation + 1 });

const keyOf = ({ nodeId, generation }: CertificateId): string => `${nodeId}/${generation}`;
