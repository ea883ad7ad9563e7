import type { EntityManager } from 'typeorm';
import type { Keys } from '../../application/ports';
import type { StoredApiKey } from '../../domain/api-key';
import { STORED_API_KEYS } from './tables';

export class PostgresKeys implements Keys {
  constructor(private readonly em: EntityManager) {}

  add(key: StoredApiKey): Promise<void> {
    return STORED_API_KEYS.insert(this.em, key);
  }

  lock(keyId: string): Promise<StoredApiKey | undefined> {
    return STORED_API_KEYS.first(this.em, 'WHERE key_id = $1 FOR UPDATE', [keyId]);
  }

  save(key: StoredApiKey): Promise<void> {
    return STORED_API_KEYS.update(this.em, key);
  }

  byPrefix(prefix: string): Promise<StoredApiKey | undefined> {
    return STORED_API_KEYS.first(this.em, 'WHERE prefix = $1', [prefix]);
  }

  async usableCount(organisationId: string, now: Date): Promise<number> {
    const rows: { count: number }[] = await this.em.query(
      `SELECT count(*)::int AS count FROM api_key WHERE organisation_id = $1 AND revoke_time IS NULL AND expire_time > $2`,
      [organisationId, now],
    );
    return rows[0]?.count ?? 0;
  }
}
