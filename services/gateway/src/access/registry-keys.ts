import { AuthenticateApiKeyRequest, AuthenticateApiKeyResponse } from '@daya/proto/registry';
import { KEY_CHECK_MS } from '../limits';
import type { Peers } from '../peers';
import { KeyAuthority } from './key-ring';

export const AUTHENTICATE = '/daya.registry.v1.OrganisationService/AuthenticateApiKey';

/** Registry's word about a key. */
export class RegistryKeys extends KeyAuthority {
  constructor(private readonly peers: Peers) {
    super();
  }

  override async authenticate(secret: string): Promise<AuthenticateApiKeyResponse> {
    const request = Buffer.from(AuthenticateApiKeyRequest.encode({ secret }).finish());
    return AuthenticateApiKeyResponse.decode(
      await this.peers.unary(AUTHENTICATE)(request, { deadlineMs: KEY_CHECK_MS }),
    );
  }
}
