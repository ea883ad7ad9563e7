import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { createClient } from '@daya/nest/client';
import { EnrolmentServiceService } from '@daya/proto/dispatch';
import { certificateRequest } from './certificate-request';

/** A node that has enrolled: all that its agent needs to connect. */
export interface EnrolledNode {
  readonly nodeId: string;
  readonly generation: number;
  readonly agentAddress: string;
  readonly key: KeyObject;
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  /** Whether the scheduler signed these bytes. */
  verifyOffer(offer: Uint8Array, signature: Uint8Array): boolean;
}

const ENROL_MS = 30_000;

/** Enrols as an agent does: its own key, a certificate request, a one-time token, over the enrolment listener. */
export async function enrolNode(enrolmentUrl: string, ca: Buffer, token: string): Promise<EnrolledNode> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const client = createClient(EnrolmentServiceService, { url: enrolmentUrl, audience: 'dispatch', tls: { ca } });
  try {
    const request = { token, certificateRequest: certificateRequest(privateKey) };
    const reply = await client.enrol(request, { deadlineMs: ENROL_MS });
    const schedulerKey = ed25519Key(reply.schedulerPublicKey);
    return {
      nodeId: reply.nodeId,
      generation: reply.generation,
      agentAddress: reply.agentAddress,
      key: privateKey,
      tls: {
        ca,
        cert: Buffer.from(reply.certificateChain),
        key: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      },
      verifyOffer: (offer, signature) => verify(null, offer, schedulerKey, signature),
    };
  } finally {
    client.onModuleDestroy();
  }
}

function ed25519Key(raw: Uint8Array): KeyObject {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}
