import type { Caller, IdGenerator } from '@daya/kernel';
import type { JobSpec, JobSpecInput, Secret } from '../domain/job-spec';
import { selectOffers, type Quote } from '../domain/quote';
import { validateSpec } from '../domain/validate-spec';
import { Violations } from '../domain/violations';
import { contentOf, memberOf, requireRequestId } from './caller';
import type { MarketState } from './market-state';
import type { Billing, Projects, SecretBox, Store } from './ports';

export interface GetQuoteCommand {
  readonly requestId: string;
  readonly projectId: string;
  readonly spec: JobSpecInput | undefined;
}

/** Selects offers and has billing price them: what a quote needs from outside. */
export class QuoteMaker {
  constructor(
    private readonly state: MarketState,
    private readonly billing: Billing,
    private readonly ids: IdGenerator,
  ) {}

  /** Throws `precondition` NO_FEASIBLE_OFFER, `unavailable`. Nothing is stored. */
  async make(organisationId: string, projectId: string, spec: JobSpec): Promise<Quote> {
    const now = this.state.now();
    const tasks = selectOffers(this.state.market, spec, now.getTime());
    const quoteId = this.ids.next();
    const priced = await this.billing.priceQuote(quoteId, organisationId, tasks);
    const expireTime = new Date(now.getTime() + this.state.timers.quoteMs);
    return { quoteId, organisationId, projectId, spec, tasks, priced, createTime: now, expireTime };
  }
}

/**
 * Prices a job at the cheapest offers that can run it. The same request gets the same quote, even when the market has
 * moved. Throws `invalid` with every violated field, `not-found` PROJECT_NOT_FOUND, `precondition` NO_FEASIBLE_OFFER.
 */
export class GetQuote {
  constructor(
    private readonly store: Store,
    private readonly projects: Projects,
    private readonly quotes: QuoteMaker,
    private readonly box: SecretBox,
  ) {}

  async execute(caller: Caller, command: GetQuoteCommand): Promise<Quote> {
    const { organisationId } = memberOf(caller);
    const { spec, secrets } = validate(command);
    await this.projects.require(organisationId, command.projectId);
    const key = this.requestKey(organisationId, command, spec, secrets);
    const first = await this.findFirst(organisationId, key);
    if (first) return first;
    const quote = await this.quotes.make(organisationId, command.projectId, spec);
    const sealed = this.box.seal(organisationId, secrets);
    return this.store.transaction({ organisationId }, async (tx) => {
      const quoteId = await tx.requests.once(key, quote.quoteId, () => tx.quotes.insert(quote, sealed));
      return (await tx.quotes.find(quoteId))?.quote ?? quote;
    });
  }

  private async findFirst(organisationId: string, key: ReturnType<GetQuote['requestKey']>): Promise<Quote | undefined> {
    return this.store.transaction({ organisationId }, async (tx) => {
      const quoteId = await tx.requests.find(key);
      return quoteId === undefined ? undefined : (await tx.quotes.find(quoteId))?.quote;
    });
  }

  private requestKey(
    organisationId: string,
    { requestId, projectId }: GetQuoteCommand,
    spec: JobSpec,
    secrets: readonly Secret[],
  ) {
    const content = contentOf({ projectId, spec, secrets: this.box.digest(secrets) });
    return { scope: organisationId, method: 'GetQuote', requestId, content };
  }
}

function validate(command: GetQuoteCommand): { spec: JobSpec; secrets: readonly Secret[] } {
  const found = new Violations();
  requireRequestId(found, command.requestId);
  found.uuid('project_id', command.projectId);
  return validateSpec(command.spec, found.list);
}
