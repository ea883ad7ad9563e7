import { createHash } from 'node:crypto';
import pg from 'pg';
import { isStalePlan } from './database-errors';

/**
 * The driver of TypeORM's data sources: a statement with values is prepared once per connection, so Postgres parses and
 * plans it once and not at every call (half of its work for our small statements). The texts of a service are few and
 * constant; values are never part of them.
 */
class PreparingClient extends pg.Client {
  override query(text: unknown, values?: unknown, callback?: unknown): never {
    const query = super.query as (...args: unknown[]) => never;
    const name = typeof text === 'string' && Array.isArray(values) && values.length > 0 ? nameOf(text) : undefined;
    if (name === undefined) return query.call(this, text, values, callback);
    const answer = query.call(this, { name, text, values }, callback) as unknown;
    if (answer instanceof Promise) void answer.catch((error: unknown) => this.closeIfStale(error));
    return answer as never;
  }

  /** Else the pool would give out a connection on which the statement fails for ever. */
  private closeIfStale(error: unknown): void {
    if (isStalePlan(error)) void this.end().catch(() => undefined);
  }
}

class PreparingPool extends pg.Pool {
  constructor(config: pg.PoolConfig) {
    super({ ...config, Client: PreparingClient } as pg.PoolConfig);
  }
}

export const preparingDriver = { ...pg, Client: PreparingClient, Pool: PreparingPool };

const names = new Map<string, string>();
/** Both ends keep every statement: whoever builds texts from data must not fill them. */
const NAMES_MAX = 1_000;

/** Postgres cuts names at 63 bytes; pg refuses one name for two texts. Undefined when there are too many already. */
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= NAMES_MAX) return known;
  const name = createHash('sha256').update(text).digest('base64url');
  names.set(text, name);
  return name;
}
