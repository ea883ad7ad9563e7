import { scopeOf, type Caller, type Clock, type IdGenerator } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { checkRewardAddress, PROVIDER_KINDS, type Provider, type ProviderKind } from '../domain/provider';
import { memberOf, requestScope } from './caller';
import type { Store } from './ports';

export interface CreateProviderCommand {
  readonly requestId: string;
  readonly displayName: string;
  readonly kind: ProviderKind | undefined;
  readonly rewardAddress: string;
}

/** Makes the caller's organisation a provider, once (`already-exists` PROVIDER_EXISTS). Idempotent by request id. */
export class CreateProvider {
  constructor(
    private readonly store: Store,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, command: CreateProviderCommand): Promise<Provider> {
    const { requestId, displayName, kind, rewardAddress } = command;
    const fields = new Fields();
    fields.requestId(requestId);
    fields.displayName('display_name', displayName);
    fields.known('kind', kind, PROVIDER_KINDS);
    checkRewardAddress(fields, rewardAddress);
    fields.refuse();
    const { organisationId } = memberOf(caller);
    const content = [displayName, kind, rewardAddress];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'CreateProvider', requestId, content }, async () => {
        const identity = { providerId: this.ids.next(), organisationId, createTime: this.clock.now(), version: 1n };
        const provider = { ...identity, displayName, kind: kind ?? 'individual', rewardAddress };
        await tx.fleet.addProvider(provider);
        return provider;
      }),
    );
  }
}
