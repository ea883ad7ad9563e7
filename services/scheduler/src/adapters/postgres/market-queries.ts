import type { DataSource } from 'typeorm';
import { storeError } from '@daya/postgres';
import { MarketQueries, type Heard, type OpenLease, type WaitingTask } from '../../application/ports';
import type { Connectivity } from '../../domain/connectivity';
import type { Job } from '../../domain/job';
import type { StopReason } from '../../domain/lease';
import type { MarketNode, MarketOffer } from '../../domain/market';
import {
  JOB_COLUMNS,
  RUN_COLUMNS,
  RUN_JOINS,
  TASK_COLUMNS,
  toJob,
  toNode,
  toOccupation,
  toOffer,
  toRun,
  toTask,
  type JobRow,
  type NodeRow,
  type OfferRow,
  type RunRow,
  type TaskRow,
} from './rows';

/** Tasks that are kept in memory to be placed; later ones are read when these are gone. */
const WAITING_MAX = 50_000;

/** Reads of the writer, on the system role. Throws `unavailable` STORE_UNAVAILABLE when the database does not answer. */
export class PostgresMarketQueries extends MarketQueries {
  constructor(private readonly db: DataSource) {
    super();
  }

  override async nodes(): Promise<MarketNode[]> {
    return (await this.read<NodeRow>(`SELECT * FROM node_view`)).map(toNode);
  }

  override async offers(): Promise<MarketOffer[]> {
    return (await this.read<OfferRow>(`SELECT * FROM offer_view`)).map(toOffer);
  }

  override async liveness(): Promise<Heard[]> {
    const rows = await this.read<{ node_id: string; connectivity: Connectivity; since_time: Date }>(
      `SELECT * FROM node_liveness`,
    );
    return rows.map((row) => ({ nodeId: row.node_id, connectivity: row.connectivity, sinceTime: row.since_time }));
  }

  override async openLeases(): Promise<OpenLease[]> {
    const rows = await this.read<RunRow>(`SELECT ${RUN_COLUMNS} FROM ${RUN_JOINS} WHERE l.closed_at IS NULL`);
    return rows.map(toRun).map((run) => ({ run, occupation: toOccupation(run) }));
  }

  override async highestTokens(): Promise<Map<string, bigint>> {
    const rows = await this.read<{ node_id: string; token: string }>(
      `SELECT node_id, max(lease_token) AS token FROM lease GROUP BY node_id`,
    );
    return new Map(rows.map((row) => [row.node_id, BigInt(row.token)]));
  }

  override async waitingTasks({ since }: { readonly since?: Date }): Promise<WaitingTask[]> {
    const tasks = await this.read<TaskRow>(
      `SELECT ${TASK_COLUMNS} FROM task t WHERE t.state = 'QUEUED' AND ($1::timestamptz IS NULL OR t.queue_time >= $1) ORDER BY t.queue_time, t.task_index LIMIT $2`,
      [since ?? null, WAITING_MAX],
    );
    if (tasks.length === 0) return [];
    const jobs = await this.read<JobRow>(`SELECT ${JOB_COLUMNS} FROM job j WHERE j.job_id = ANY($1::uuid[])`, [
      [...new Set(tasks.map((row) => row.job_id))],
    ]);
    const jobOf = new Map(jobs.map((row) => [row.job_id, toJob(row)]));
    return tasks.flatMap((row) => {
      const job = jobOf.get(row.job_id);
      return job ? [{ task: toTask(row), job }] : [];
    });
  }

  override async stopOrders(): Promise<{ leaseId: string; stopReason: StopReason }[]> {
    const rows = await this.read<{ lease_id: string; stop_reason: StopReason }>(
      `SELECT lease_id, stop_reason FROM run WHERE stop_reason IS NOT NULL AND state IN ('OFFERED', 'ACCEPTED', 'RUNNING')`,
    );
    return rows.map((row) => ({ leaseId: row.lease_id, stopReason: row.stop_reason }));
  }

  override async holdsPending(before: Date, limit: number): Promise<Job[]> {
    const rows = await this.read<JobRow>(
      `SELECT ${JOB_COLUMNS} FROM job j WHERE j.hold_pending AND j.create_time < $1 ORDER BY j.create_time LIMIT $2`,
      [before, limit],
    );
    return rows.map(toJob);
  }

  override async saveLiveness(nodes: readonly Heard[]): Promise<void> {
    await this.read(
      `INSERT INTO node_liveness (node_id, connectivity, since_time) SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])
       ON CONFLICT (node_id) DO UPDATE SET connectivity = excluded.connectivity, since_time = excluded.since_time`,
      [nodes.map((node) => node.nodeId), nodes.map((node) => node.connectivity), nodes.map((node) => node.sinceTime)],
    );
  }

  private async read<R>(sql: string, values: unknown[] = []): Promise<R[]> {
    try {
      return await this.db.query(sql, values);
    } catch (error) {
      throw storeError(error);
    }
  }
}
