import { DomainError } from '@daya/kernel';
import { toDomainError, type GrpcClient } from '@daya/nest';
import { fromTimestamp } from '@daya/proto';
import type { Timestamp } from '@daya/proto/google';
import { Inventory, type ProviderServiceService } from '@daya/proto/registry';
import { Registry, type CertificateState, type Enrolment, type Renewal } from '../../application/ports';

/** Registry over gRPC, as dispatch itself. */
export class RegistryClient extends Registry {
  constructor(private readonly client: GrpcClient<typeof ProviderServiceService>) {
    super();
  }

  /** A node that registry does not know has no good certificate. */
  override async checkCertificate(nodeId: string, generation: number): Promise<CertificateState> {
    try {
      return await refusing(this.client.checkNodeCertificate({ nodeId, generation }));
    } catch (error) {
      const isUnknown = error instanceof DomainError && error.kind === 'not-found';
      if (isUnknown) return { valid: false, publicKey: new Uint8Array(), emulated: false };
      throw error;
    }
  }

  override async enrol(token: string, certificateRequest: Uint8Array): Promise<Enrolment> {
    const answer = await refusing(
      this.client.enrolNode({ token, certificateRequest: Buffer.from(certificateRequest) }),
    );
    return { ...answer, expireTime: required(answer.expireTime) };
  }

  override async renew({ certificateRequest, signature, ...rest }: Renewal): ReturnType<Registry['renew']> {
    const request = { ...rest, certificateRequest: Buffer.from(certificateRequest), signature: Buffer.from(signature) };
    const answer = await refusing(this.client.renewNodeCertificate(request));
    return { ...answer, expireTime: required(answer.expireTime) };
  }

  override async reportInventory(requestId: string, nodeId: string, inventory: Uint8Array): Promise<void> {
    await refusing(this.client.reportInventory({ requestId, nodeId, inventory: Inventory.decode(inventory) }));
  }
}

/** A peer's refusal is ours too, with its reason. */
export async function refusing<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toDomainError(error);
  }
}

function required(timestamp: Timestamp | undefined): Date {
  if (timestamp === undefined) throw new Error('registry sent a certificate without its end');
  return fromTimestamp(timestamp);
}
