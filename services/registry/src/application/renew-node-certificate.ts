import { DomainError } from '@daya/kernel';
import { decideRenewal, renewalMessage, type NodeCertificate } from '../domain/certificate';
import { Fields } from '../domain/fields';
import { assertNotRevoked, revoke, type Node } from '../domain/node';
import { changed } from '../domain/organisation';
import { found } from './caller';
import { checkCertificateRequest, issue, tellCertificate } from './enrol-node';
import type { Making, NodeCertificates, Store, Transaction } from './ports';
import { withdraw } from './revoke-node';
import { saveAndTell } from './tell-node';

export interface RenewNodeCertificateCommand {
  readonly nodeId: string;
  /** The generation that is renewed. */
  readonly generation: number;
  readonly certificateRequest: Uint8Array;
  /** By the key of that generation over request and generation. */
  readonly signature: Uint8Array;
}

const GENERATION_MAX = 999_999_998;
const SIGNATURE_BYTES = 64;
const REUSED = 'CERTIFICATE_GENERATION_REUSED';

/**
 * Issues the next generation. The same request again gets the same answer. Two different requests of one generation mean
 * that its key was copied: the node is revoked, all its generations with it, and the call is refused with `denied`
 * CERTIFICATE_GENERATION_REUSED. Nobody without a key of the node can bring that about: the signature is checked first.
 */
export class RenewNodeCertificate {
  constructor(
    private readonly store: Store,
    private readonly certificates: NodeCertificates,
    private readonly making: Making,
  ) {}

  async execute(command: RenewNodeCertificateCommand): Promise<NodeCertificate> {
    check(command);
    const { nodeId, generation, certificateRequest } = command;
    await this.store.transaction('system', (tx) => this.signer(tx, command));
    const issueTime = this.making.clock.now();
    const wanted = { nodeId, generation: generation + 1, certificateRequest, issueTime };
    const fresh = await issue(this.certificates, this.making, wanted);
    const outcome = await this.store.transaction('system', (tx) => this.renew(tx, command, fresh));
    if (outcome !== 'reused') return outcome;
    const metadata = { node_id: nodeId, generation: String(generation) };
    throw new DomainError('denied', REUSED, 'this generation was renewed before: the node is revoked', metadata);
  }

  private async renew(
    tx: Transaction,
    command: RenewNodeCertificateCommand,
    fresh: NodeCertificate,
  ): Promise<NodeCertificate | 'reused'> {
    const node = found(await tx.fleet.lockNode(command.nodeId), 'node', command.nodeId);
    const renewed = await this.signer(tx, command);
    const successor = await tx.fleet.certificate(command.nodeId, fresh.generation);
    const renewal = decideRenewal(renewed, successor, fresh.requestHash, fresh.issueTime);
    if (renewal.kind === 'repeat') return renewal.certificate;
    if (renewal.kind === 'reused') {
      await withdraw(tx, revoke(node, REUSED, fresh.issueTime));
      return 'reused';
    }
    await tx.fleet.addCertificate(fresh);
    const expires = { certificateGeneration: fresh.generation, certificateExpireTime: fresh.expireTime };
    await saveAndTell(tx, changed<Node>(node, expires));
    await tellCertificate(tx, fresh);
    return fresh;
  }

  /** The certificate whose key signed. Throws `not-found`, `precondition` NODE_REVOKED, `denied` SIGNATURE_INVALID. */
  private async signer(tx: Transaction, command: RenewNodeCertificateCommand): Promise<NodeCertificate> {
    const { nodeId, generation, certificateRequest, signature } = command;
    const node = found(await tx.fleet.node(nodeId), 'node', nodeId);
    assertNotRevoked(node);
    const certificate = await tx.fleet.certificate(nodeId, generation);
    const message = renewalMessage(certificateRequest, generation);
    if (certificate !== undefined && this.certificates.verify(certificate.publicKey, message, signature))
      return certificate;
    throw new DomainError('denied', 'SIGNATURE_INVALID', 'the signature is not by the key of this generation');
  }
}

function check({ nodeId, generation, certificateRequest, signature }: RenewNodeCertificateCommand): void {
  const fields = new Fields();
  fields.uuid('node_id', nodeId);
  fields.range('generation', generation, 1, GENERATION_MAX);
  checkCertificateRequest(fields, certificateRequest);
  fields.require(signature.length === SIGNATURE_BYTES, 'signature', 'MALFORMED', `must have ${SIGNATURE_BYTES} bytes`);
  fields.refuse();
}
