import { toDomainError, type GrpcClient } from '@daya/nest';
import { fromTimestamp } from '@daya/proto';
import type { Timestamp } from '@daya/proto/google';
import { Inventory, type ProviderServiceService } from '@daya/proto/registry';
import {
  Registry,
  type CertificateId,
  type CertificateState,
  type Enrolment,
  type Renewal,
} from '../../application/ports';

/** Registry over gRPC, as dispatch itself. */
export class RegistryClient extends Registry {
  constructor(private readonly client: GrpcClient<typeof ProviderServiceService>) {
    super();
  }

  override async checkCertificates(certificates: readonly CertificateId[]): Promise<readonly CertificateState[]> {
    const request = { certificates: certificates.map(({ nodeId, generation }) => ({ nodeId, generation })) };
    return (await refusing(this.client.batchCheckNodeCertificates(request))).checks;
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
