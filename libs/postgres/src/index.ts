export { createDataSources, DataSources, type DataSourceOptions } from './data-sources';
export { constraintError, isRetriable, isUnavailable, sqlState, storeError } from './database-errors';
export { execute, migrate, requireSchema, type Migrations } from './migrate';
export { PageTokens, type PageStart } from './page-tokens';
export { provisionDatabase, urlFor, type DatabaseUrls, type ProvisionOptions } from './provision';
export {
  claim,
  findAnswer,
  jsonCodec,
  once,
  onceAs,
  REQUESTS_TABLE_SQL,
  type Codec,
  type RequestKey,
} from './request-table';
export { enableRls, enableRlsWhere, ORGANISATION_SQL, systemOnly } from './row-level-security';
export { ScopedTransactions } from './scoped-transactions';
export { inTransaction, type Isolation, type TransactionOptions } from './transaction';
export { write } from './writes';
