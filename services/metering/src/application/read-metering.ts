import { scopeOf, type Caller } from '@daya/kernel';
import type { Discrepancy, MeteringQueries, Page, PageRequest, RecordedWindow, RefusedTick } from './ports';

/** What a caller may see of the meter: leases in which its organisation is a party. */
export class ReadMetering {
  constructor(private readonly queries: MeteringQueries) {}

  usage(caller: Caller, jobId: string, page: PageRequest): Promise<Page<RecordedWindow>> {
    return this.queries.usage(scopeOf(caller), jobId, page);
  }

  discrepancies(caller: Caller, page: PageRequest): Promise<Page<Discrepancy>> {
    return this.queries.discrepancies(scopeOf(caller), page);
  }

  /** The RPC's rule lets only the operator in. */
  refusedTicks(nodeId: string, page: PageRequest): Promise<Page<RefusedTick>> {
    return this.queries.refusedTicks(nodeId, page);
  }
}
