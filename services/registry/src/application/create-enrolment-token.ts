import { scopeOf, type Caller } from '@daya/kernel';
import { assertEmulationAllowed, ENROLMENT_TOKEN_LIFE_MS, type EnrolmentToken } from '../domain/enrolment';
import { Fields } from '../domain/fields';
import { formatSecretToken, newSecretToken, RANDOM_BYTES } from '../domain/secret-token';
import { found, requestScope } from './caller';
import type { Making, Policy, Store } from './ports';

export interface CreateEnrolmentTokenCommand {
  readonly requestId: string;
  readonly providerId: string;
  readonly displayName: string;
  readonly region: string;
  readonly emulated: boolean;
}

/** Makes a token that enrols one node within 15 minutes. It is shown once: a repetition of the request id gets none. */
export class CreateEnrolmentToken {
  constructor(
    private readonly store: Store,
    private readonly making: Making,
    private readonly policy: Policy,
  ) {}

  async execute(
    caller: Caller,
    command: CreateEnrolmentTokenCommand,
  ): Promise<{ readonly token: string; readonly expireTime: Date }> {
    const { requestId, providerId, displayName, region, emulated } = command;
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('provider_id', providerId);
    fields.displayName('display_name', displayName);
    fields.slug('region', region);
    fields.refuse();
    assertEmulationAllowed(emulated, this.policy.allowEmulatedGpus);
    const content = [providerId, displayName, region, emulated];
    let token = '';
    const answer = await this.store.transaction(scopeOf(caller), (tx) => {
      token = '';
      return tx.requests.once(
        { scope: requestScope(caller), method: 'CreateEnrolmentToken', requestId, content },
        async () => {
          const { organisationId } = found(await tx.fleet.provider(providerId), 'provider', providerId);
          const issued = this.issue({ organisationId, providerId, displayName, region, emulated });
          await tx.fleet.addToken(issued.stored);
          token = issued.text;
          return { expireTime: issued.stored.expireTime };
        },
      );
    });
    return { ...answer, token };
  }

  private issue(about: Pick<EnrolmentToken, 'organisationId' | 'providerId' | 'displayName' | 'region' | 'emulated'>) {
    const { secrets, ids, clock } = this.making;
    const createTime = clock.now();
    const token = newSecretToken('dayaenrol', secrets.random(RANDOM_BYTES));
    const stored: EnrolmentToken = {
      ...about,
      tokenId: ids.next(),
      prefix: token.prefix,
      secretHash: secrets.hash(token.secret),
      createTime,
      expireTime: new Date(createTime.getTime() + ENROLMENT_TOKEN_LIFE_MS),
      nodeId: undefined,
      requestHash: undefined,
    };
    return { stored, text: formatSecretToken(token) };
  }
}
