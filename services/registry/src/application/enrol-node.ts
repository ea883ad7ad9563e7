import { CERTIFICATE_LIFE_MS, type NodeCertificate } from '../domain/certificate';
import {
  assertEmulationAllowed,
  badToken,
  CERTIFICATE_REQUEST_BYTES_MAX,
  usedToken,
  useOf,
  type EnrolmentToken,
} from '../domain/enrolment';
import { Fields } from '../domain/fields';
import type { Node } from '../domain/node';
import { parseSecretToken, type SecretToken } from '../domain/secret-token';
import { found } from './caller';
import type { Alarms, Making, NodeCertificates, Policy, Store, Transaction } from './ports';
import { tellNodes } from './tell-node';

export interface EnrolNodeCommand {
  readonly token: string;
  /** PKCS #10, DER. */
  readonly certificateRequest: Uint8Array;
}

const TOKEN_LENGTH_MAX = 256;
const FIRST_GENERATION = 1;

/**
 * Exchanges a token for a node and its first certificate, once. The same request again gets the same answer, since the
 * first may have been lost; anyone else's raises an alarm and is refused with `precondition` ENROLMENT_TOKEN_USED.
 */
export class EnrolNode {
  constructor(
    private readonly store: Store,
    private readonly certificates: NodeCertificates,
    private readonly making: Making,
    private readonly policy: Policy,
    private readonly alarms: Alarms,
  ) {}

  async execute(command: EnrolNodeCommand): Promise<NodeCertificate> {
    const { certificateRequest } = command;
    check(command);
    const token = parseSecretToken('dayaenrol', command.token);
    if (token === undefined) throw badToken();
    const certificate = await this.issueFirst(certificateRequest);
    const outcome = await this.store.transaction('system', (tx) => this.enrol(tx, token, certificate));
    if (!('reused' in outcome)) return outcome;
    this.alarms.tokenReused(outcome.reused);
    throw usedToken();
  }

  private async enrol(
    tx: Transaction,
    token: SecretToken,
    certificate: NodeCertificate,
  ): Promise<NodeCertificate | { readonly reused: EnrolmentToken }> {
    const stored = this.verified(await tx.fleet.lockTokenByPrefix(token.prefix), token);
    assertEmulationAllowed(stored.emulated, this.policy.allowEmulatedGpus);
    const use = useOf(stored, certificate.requestHash, certificate.issueTime);
    if (use === 'repeat') return firstOf(tx, stored);
    if (use === 'reuse') return { reused: stored };
    const node = newNode(stored, certificate);
    await tx.fleet.saveToken({ ...stored, nodeId: node.nodeId, requestHash: certificate.requestHash });
    await tx.fleet.addNode(node);
    await tx.fleet.addCertificate(certificate);
    await tellNodes(tx, [node]);
    await tellCertificate(tx, certificate);
    return certificate;
  }

  private async issueFirst(certificateRequest: Uint8Array): Promise<NodeCertificate> {
    const issueTime = this.making.clock.now();
    const subject = { nodeId: this.making.ids.next(), generation: FIRST_GENERATION };
    return issue(this.certificates, this.making, { ...subject, certificateRequest, issueTime });
  }

  private verified(stored: EnrolmentToken | undefined, { secret }: SecretToken): EnrolmentToken {
    if (!this.making.secrets.matches(secret, stored?.secretHash) || stored === undefined) throw badToken();
    return stored;
  }
}

export async function issue(
  authority: NodeCertificates,
  { secrets }: Making,
  wanted: Pick<NodeCertificate, 'nodeId' | 'generation' | 'issueTime'> & { readonly certificateRequest: Uint8Array },
): Promise<NodeCertificate> {
  const { nodeId, generation, issueTime, certificateRequest } = wanted;
  const expireTime = new Date(issueTime.getTime() + CERTIFICATE_LIFE_MS);
  const issued = await authority.issue({
    certificateRequest,
    nodeId,
    generation,
    notBefore: issueTime,
    notAfter: expireTime,
  });
  return { ...issued, nodeId, generation, requestHash: secrets.digest(certificateRequest), issueTime, expireTime };
}

export const tellCertificate = (tx: Transaction, { nodeId, generation, publicKey }: NodeCertificate): Promise<void> =>
  tx.events.append({ type: 'node-certified', nodeId, generation, publicKey });

async function firstOf(tx: Transaction, { nodeId = '' }: EnrolmentToken): Promise<NodeCertificate> {
  return found(await tx.fleet.certificate(nodeId, FIRST_GENERATION), 'certificate', nodeId);
}

function newNode(token: EnrolmentToken, certificate: NodeCertificate): Node {
  const { providerId, organisationId, displayName, region, emulated } = token;
  return {
    ...{ providerId, organisationId, displayName, region, emulated },
    nodeId: certificate.nodeId,
    inventory: undefined,
    inventoryGeneration: 0,
    connectivity: undefined,
    connectivityTime: undefined,
    ownerReason: 'none',
    gpuConflict: false,
    admissionState: 'pending',
    admissionReason: '',
    admissionTime: undefined,
    canaryJobId: undefined,
    canaryDueTime: undefined,
    canaryAttempts: 0,
    trustTier: 'unverified',
    certificateGeneration: certificate.generation,
    certificateExpireTime: certificate.expireTime,
    revokeTime: undefined,
    revokeReason: '',
    createTime: certificate.issueTime,
    version: 1n,
  };
}

function check({ token, certificateRequest }: EnrolNodeCommand): void {
  const fields = new Fields();
  fields.text('token', token, TOKEN_LENGTH_MAX);
  checkCertificateRequest(fields, certificateRequest);
  fields.refuse();
}

export function checkCertificateRequest(fields: Fields, { length }: Uint8Array): void {
  if (length === 0) fields.add('certificate_request', 'REQUIRED', 'must not be empty');
  else
    fields.require(
      length <= CERTIFICATE_REQUEST_BYTES_MAX,
      'certificate_request',
      'TOO_LONG',
      `must have at most ${CERTIFICATE_REQUEST_BYTES_MAX} bytes`,
    );
}
