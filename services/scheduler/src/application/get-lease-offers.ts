import { refuseInvalid } from '@daya/kernel';
import { isFinalTask, workOf, type InputArtifact, type JobSpec, type Secret } from '../domain/job-spec';
import { isEnded, type LeaseTerms } from '../domain/lease';
import { validateIds } from '../domain/validate-report';
import type { MarketState } from './market-state';
import type { JobQueries, OfferFacts, SecretBox } from './ports';
import type { Stop } from './renew-leases';

export const OFFERS_MAX = 64;
/** Where the final task finds the others' artifacts, under /inputs. */
const EARLIER_TASKS_FOLDER = 'tasks';
const MS_PER_SECOND = 1_000;

/** All that an agent needs to run a task. */
export interface LeaseOffer {
  readonly terms: LeaseTerms;
  readonly spec: JobSpec;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly outputPath: string;
  readonly inputs: readonly InputArtifact[];
  readonly maxRunSeconds: number;
  readonly secrets: readonly Secret[];
}

/** What agents must be told about leases: an offer, or to stop. Unknown and settled ones are left out. */
export class GetLeaseOffers {
  constructor(
    private readonly queries: JobQueries,
    private readonly box: SecretBox,
    private readonly state: MarketState,
  ) {}

  /** Throws `invalid` for malformed ids or more than 64. */
  async execute(leaseIds: readonly string[]): Promise<{ offers: LeaseOffer[]; stops: Stop[] }> {
    refuseInvalid(validateIds('lease_ids', leaseIds, OFFERS_MAX));
    const fresh = leaseIds.flatMap((leaseId) => this.state.takeFresh(leaseId) ?? []);
    const given = new Set(fresh.map(({ run }) => run.terms.leaseId));
    const others = leaseIds.filter((leaseId) => !given.has(leaseId));
    const facts = [...fresh, ...(others.length === 0 ? [] : await this.queries.offers(others))];
    const offers = facts
      .filter(({ run }) => run.state === 'OFFERED' && !run.stopReason)
      .map((one) => this.offerOf(one));
    return { offers, stops: facts.flatMap(stopOf) };
  }

  private offerOf({ run, spec, secrets, earlier }: OfferFacts): LeaseOffer {
    const { terms } = run;
    const results = isFinalTask(spec, terms.taskIndex)
      ? earlier.map(({ taskIndex, path, sha256 }) => ({ sha256, path: `${EARLIER_TASKS_FOLDER}/${taskIndex}/${path}` }))
      : [];
    return {
      terms,
      spec,
      ...workOf(spec, terms.taskIndex),
      inputs: [...spec.inputs, ...results],
      maxRunSeconds: Math.floor(terms.maxRunMs / MS_PER_SECOND),
      secrets: this.box.open(terms.organisationId, secrets),
    };
  }
}

function stopOf({ run }: OfferFacts): Stop[] {
  const { leaseId, leaseToken, nodeId } = run.terms;
  if (run.closeTime) return [];
  if (isEnded(run)) return [{ leaseId, leaseToken, nodeId, reason: 'EXPIRED' }];
  return run.stopReason ? [{ leaseId, leaseToken, nodeId, reason: run.stopReason }] : [];
}
