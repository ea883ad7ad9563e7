import { DomainError, type Clock, type IdGenerator } from '@daya/kernel';
import { KEY_LIFE_MAX_MS, SCOPES } from '../domain/api-key';
import { PLATFORM_ORGANISATION_ID } from '../domain/organisation';
import { found } from './caller';
import { issueKey } from './issue-key';
import type { Secrets, Store } from './ports';

/**
 * Makes the platform's first operator key and returns it, once: `precondition` OPERATOR_EXISTS while the platform has a
 * usable key, so that who can run this command cannot quietly add one beside it. When all are revoked it works again.
 */
export class BootstrapOperator {
  constructor(
    private readonly store: Store,
    private readonly secrets: Secrets,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  execute(): Promise<string> {
    const now = this.clock.now();
    const organisationId = PLATFORM_ORGANISATION_ID;
    return this.store.transaction('system', async (tx) => {
      found(await tx.tenants.lockOrganisation(organisationId), 'organisation', organisationId);
      if ((await tx.keys.usableCount(organisationId, now)) > 0) {
        throw new DomainError(
          'precondition',
          'OPERATOR_EXISTS',
          'the platform has an operator key; make others with it',
        );
      }
      const expireTime = new Date(now.getTime() + KEY_LIFE_MAX_MS);
      const wanted = {
        organisationId,
        displayName: 'bootstrap operator',
        role: 'owner' as const,
        scopes: SCOPES,
        expireTime,
      };
      const { stored, secret } = issueKey(this.secrets, this.ids.next(), wanted, now);
      await tx.keys.add(stored);
      return secret;
    });
  }
}
