import type { ServiceName } from '../platform';
import { withClient } from './replica';

const NOTES = `SELECT sum(CASE n.kind WHEN 'credit' THEN -n.charge_micros ELSE n.charge_micros END) FROM charge_note n`;

/**
 * What a service knows, without the moments at which it happened to learn it: times of recording, generated ids, versions
 * that count corrections on the way, and how far each consumer has read.
 */
const STATE: Partial<Record<ServiceName, Readonly<Record<string, string>>>> = {
  metering: {
    node_key: 'SELECT node_id, generation, public_key, revoke_time IS NOT NULL AS revoked FROM node_key',
    node_rating: 'SELECT * FROM node_rating',
    lease: `SELECT lease_id, lease_token, node_id, organisation_id, provider_organisation_id, job_id, gpu_milli, mscu, start_time,
      expire_time, end_time, lost FROM lease`,
    tick: 'SELECT node_id, boot_id, sequence, lease_id, lease_token, cumulative_ms, final, receive_time, state FROM tick',
    usage_window: `SELECT lease_id, window_start, window_end, scheduler_ms, billable_ms, billable_cumulative_ms, mscu_ms, final
      FROM usage_window`,
    refused_tick: `SELECT node_id, boot_id, sequence, lease_id, lease_token, cumulative_ms, reason FROM refused_tick`,
    discrepancy: 'SELECT lease_id, scheduler_ms, agent_ms, charged_ms FROM discrepancy',
  },
  billing: {
    balance: `SELECT a.code, a.asset, sum(b.posted) AS posted, sum(b.held) AS held FROM ledger_account a
      JOIN ledger_balance b ON b.account_id = a.id GROUP BY a.code, a.asset HAVING sum(b.version) > 0`,
    billed_job: `SELECT job_id, payer_id, asset, hold_amount, hold_remaining, hold_state, fee_bps, finish_time,
      (SELECT array_agg(l ORDER BY l) FROM unnest(started_lease_ids) AS l) AS started, settle_time IS NOT NULL AS settled FROM billed_job`,
    billed_lease: `SELECT lease_id, job_id, payer_id, payee_id, provider_id, node_id, task_index, run_number, gpu_model_id, gpu_milli,
      price_micros_per_gpu_hour, start_time, end_time, waived_reason, billable_ms, final_usage_in, charged_ms, charge_micros, fee_micros,
      provider_micros FROM billed_lease`,
    usage_window: `SELECT usage_id, lease_id, window_start_time, window_end_time, version, billable_ms, cumulative_ms FROM usage_window`,
    // After their notes: a correction that came after the invoice there may come before it here.
    invoice: `SELECT i.invoice_id, i.job_id, i.payer_id, i.total_micros + coalesce((${NOTES} WHERE n.invoice_id = i.invoice_id), 0) AS net_micros
      FROM invoice i`,
    invoice_line: `SELECT i.invoice_id, i.position, i.what, i.lease_id, l.billable_ms,
      i.amount_micros + coalesce((${NOTES} WHERE n.lease_id = i.lease_id), 0) AS net_micros
      FROM invoice_line i JOIN billed_lease l USING (lease_id)`,
  },
  rewards: {
    node: `SELECT DISTINCT ON (node_id) node_id, version, change_time, provider_id, region, online, ineligible_reason, gpus
      FROM node_version ORDER BY node_id, version DESC`,
    offer: `SELECT DISTINCT ON (offer_id) offer_id, version, change_time, node_id, gpu_class, open
      FROM offer_version ORDER BY offer_id, version DESC`,
    node_revocation: 'SELECT * FROM node_revocation',
    charge: `SELECT charge_id, post_time, asset, job_id, provider_id, node_id, gpu_class, money_asset, fee_micros, billable_ms, gpu_milli
      FROM charge`,
    refused_event: 'SELECT event_id, topic, type, reason FROM refused_event',
  },
  scheduler: {
    node_view: 'SELECT * FROM node_view',
    offer_view: 'SELECT * FROM offer_view',
  },
};

/** Every row as text, by table. */
export type BusinessState = Readonly<Record<string, ReadonlySet<string>>>;

export function readState(service: ServiceName, url: string): Promise<BusinessState> {
  const tables = STATE[service];
  if (tables === undefined) throw new Error(`${service} keeps nothing that topics alone make`);
  return withClient(url, async (client) => {
    const state: Record<string, ReadonlySet<string>> = {};
    for (const [table, sql] of Object.entries(tables)) {
      const { rows } = await client.query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM (${sql}) t`);
      state[table] = new Set(rows.map(({ row }) => row));
    }
    return state;
  });
}

/** Rows that only one side has, a few per table; empty when both know the same. */
export function differences(live: BusinessState, replayed: BusinessState): string[] {
  return Object.entries(live).flatMap(([table, rows]) => {
    const others = replayed[table] ?? new Set<string>();
    const gone = [...rows].filter((row) => !others.has(row)).map((row) => `${table}: only live: ${row}`);
    const extra = [...others].filter((row) => !rows.has(row)).map((row) => `${table}: only replayed: ${row}`);
    return [...gone.slice(0, 3), ...extra.slice(0, 3)];
  });
}

export const rowsOf = (state: BusinessState): number => Object.values(state).reduce((sum, rows) => sum + rows.size, 0);
