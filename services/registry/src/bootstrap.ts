import { SystemClock, UuidV7Generator } from '@daya/nest';
import { createDataSources, requireSchema, ScopedTransactions } from '@daya/postgres';
import { HmacSecrets } from './adapters/crypto/hmac-secrets';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { PostgresStore } from './adapters/postgres/postgres-store';
import { BootstrapOperator } from './application/bootstrap-operator';
import type { BootstrapConfig } from './config';

/** Makes the first operator key and returns it. Throws `precondition` OPERATOR_EXISTS. */
export async function bootstrapOperator(config: BootstrapConfig): Promise<string> {
  const { DATABASE_URL: url, DATABASE_SYSTEM_URL: systemUrl } = config;
  const sources = await createDataSources({
    url,
    systemUrl,
    applicationName: 'registry-bootstrap',
    poolSize: 1,
  }).open();
  try {
    await requireSchema(sources.system, MIGRATIONS);
    const [clock, ids] = [new SystemClock(), new UuidV7Generator()];
    const store = new PostgresStore(new ScopedTransactions(sources), ids);
    return await new BootstrapOperator(store, new HmacSecrets(config.API_KEY_PEPPER), ids, clock).execute();
  } finally {
    await sources.close();
  }
}
