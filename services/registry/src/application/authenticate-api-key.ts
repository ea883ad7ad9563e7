import type { Clock } from '@daya/kernel';
import { assertUsable, badKey, shown, type ApiKey } from '../domain/api-key';
import { Fields } from '../domain/fields';
import { PLATFORM_ORGANISATION_ID } from '../domain/organisation';
import { parseSecretToken } from '../domain/secret-token';
import type { Secrets, Store } from './ports';

const KEY_LENGTH_MAX = 256;

/**
 * Exchanges a key for the identity it stands for. Unknown keys and wrong secrets get the same answer in the same time;
 * `unauthenticated` API_KEY_REVOKED and API_KEY_EXPIRED are told only to who holds the right secret.
 */
export class AuthenticateApiKey {
  constructor(
    private readonly store: Store,
    private readonly secrets: Secrets,
    private readonly clock: Clock,
  ) {}

  async execute(secret: string): Promise<ApiKey & { readonly operator: boolean }> {
    const fields = new Fields();
    fields.text('secret', secret, KEY_LENGTH_MAX);
    fields.refuse();
    const token = parseSecretToken('daya', secret);
    if (token === undefined) throw badKey();
    const key = await this.store.transaction('system', (tx) => tx.keys.byPrefix(token.prefix));
    if (!this.secrets.matches(token.secret, key?.secretHash) || key === undefined) throw badKey();
    assertUsable(key, this.clock.now());
    return { ...shown(key), operator: key.organisationId === PLATFORM_ORGANISATION_ID };
  }
}
