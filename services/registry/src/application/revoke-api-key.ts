import { scopeOf, type Caller, type Clock } from '@daya/kernel';
import { shown, type ApiKey } from '../domain/api-key';
import { Fields } from '../domain/fields';
import { assertMayGrant } from '../domain/member';
import { found, requestScope, roleOfCaller } from './caller';
import type { Store } from './ports';

export interface RevokeApiKeyCommand {
  readonly requestId: string;
  readonly keyId: string;
}

/** Revokes a key for good; a key that is revoked stays as it is. Idempotent by request id. */
export class RevokeApiKey {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, { requestId, keyId }: RevokeApiKeyCommand): Promise<ApiKey> {
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('key_id', keyId);
    fields.refuse();
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once(
        { scope: requestScope(caller), method: 'RevokeApiKey', requestId, content: [keyId] },
        async () => {
          const key = found(await tx.keys.lock(keyId), 'api key', keyId);
          assertMayGrant(roleOfCaller(caller), key.role);
          if (key.revokeTime !== undefined) return shown(key);
          const revoked = { ...key, revokeTime: this.clock.now() };
          await tx.keys.save(revoked);
          return shown(revoked);
        },
      ),
    );
  }
}
