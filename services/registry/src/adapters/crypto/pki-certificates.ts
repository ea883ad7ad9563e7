import { verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DomainError } from '@daya/kernel';
import { Authority, BadCertificateRequestError, ed25519PublicKey, issueNodeCertificate } from '@daya/pki';
import { NodeCertificates, type IssuedCertificate } from '../../application/ports';

/** The platform's authority, its key in this process. */
export class PkiCertificates extends NodeCertificates {
  private constructor(private readonly authority: Authority) {
    super();
  }

  /** Throws when a file is missing or holds no authority. */
  static async load(certificateFile: string, keyFile: string): Promise<PkiCertificates> {
    const pem = { certificate: readFileSync(certificateFile, 'utf8'), privateKey: readFileSync(keyFile, 'utf8') };
    return new PkiCertificates(await Authority.load(pem));
  }

  override async issue(request: Parameters<NodeCertificates['issue']>[0]): Promise<IssuedCertificate> {
    const { certificateRequest: der, nodeId, generation, notBefore, notAfter } = request;
    try {
      const issued = await issueNodeCertificate(this.authority, { der, nodeId, generation, notBefore, notAfter });
      return { certificateChain: issued.certificate, publicKey: Buffer.from(issued.publicKey).toString('hex') };
    } catch (error) {
      if (error instanceof BadCertificateRequestError) throw refused(error);
      throw error;
    }
  }

  override verify(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean {
    return verify(null, message, ed25519PublicKey(Buffer.from(publicKey, 'hex')), signature);
  }
}

const refused = (error: Error): DomainError =>
  new DomainError('invalid', 'INVALID_FIELDS', 'invalid fields: certificate_request', {}, [
    { field: 'certificate_request', reason: 'BAD_CERTIFICATE_REQUEST', description: error.message },
  ]);
