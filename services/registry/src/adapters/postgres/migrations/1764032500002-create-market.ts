import { enableRls, execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CATALOGUE } from './catalogue';

const MARKET = `
CREATE TABLE gpu_model (
  gpu_model_id text PRIMARY KEY, display_name text NOT NULL, vram_mib integer NOT NULL CHECK (vram_mib > 0),
  segment text NOT NULL CHECK (segment IN ('consumer', 'datacentre')),
  purchase_price_micros bigint NOT NULL CHECK (purchase_price_micros > 0), purchase_price_source text NOT NULL CHECK (purchase_price_source <> ''),
  cloud_price_micros_per_hour bigint NOT NULL CHECK (cloud_price_micros_per_hour > 0),
  cloud_price_source text NOT NULL CHECK (cloud_price_source <> ''), version bigint NOT NULL CHECK (version >= 1));
CREATE TABLE scu_rating (
  gpu_model_id text NOT NULL REFERENCES gpu_model, work_kind text NOT NULL CHECK (work_kind IN ('training', 'inference', 'rendering')),
  rating_version integer NOT NULL CHECK (rating_version >= 1), mscu integer NOT NULL CHECK (mscu > 0),
  source text NOT NULL CHECK (source <> ''), create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gpu_model_id, work_kind, rating_version));
CREATE VIEW gpu_model_rated WITH (security_invoker = true) AS
  SELECT m.*, (SELECT coalesce(jsonb_agg(jsonb_build_object('workKind', r.work_kind, 'mscu', r.mscu, 'source', r.source,
      'ratingVersion', r.rating_version) ORDER BY r.work_kind), '[]')
    FROM (SELECT DISTINCT ON (work_kind) * FROM scu_rating s WHERE s.gpu_model_id = m.gpu_model_id
      ORDER BY work_kind, rating_version DESC) r) AS scu_ratings FROM gpu_model m;
CREATE TABLE offer (
  offer_id uuid PRIMARY KEY, node_id uuid NOT NULL REFERENCES node, provider_id uuid NOT NULL REFERENCES provider,
  organisation_id uuid NOT NULL REFERENCES organisation, gpu_model_id text NOT NULL REFERENCES gpu_model,
  gpu_count integer NOT NULL CHECK (gpu_count > 0), price_micros_per_gpu_hour bigint NOT NULL CHECK (price_micros_per_gpu_hour > 0),
  region text NOT NULL, reliability_bps integer NOT NULL CHECK (reliability_bps BETWEEN 0 AND 10000),
  min_rental_seconds integer NOT NULL CHECK (min_rental_seconds >= 0), max_rental_seconds integer NOT NULL,
  network_allowed boolean NOT NULL, state text NOT NULL CHECK (state IN ('open', 'closed')), create_time timestamptz NOT NULL,
  version bigint NOT NULL CHECK (version >= 1), emulated boolean NOT NULL, CHECK (max_rental_seconds >= greatest(min_rental_seconds, 1)));
CREATE UNIQUE INDEX offer_open ON offer (node_id, gpu_model_id) WHERE state = 'open';
CREATE INDEX offer_organisation ON offer (organisation_id, offer_id);
CREATE INDEX offer_market ON offer (gpu_model_id, region, offer_id) WHERE state = 'open';
`;

/** The GPU catalogue, which everybody may read, and offers, which everybody may read while they are open. */
export class CreateMarket1764032500002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, MARKET, enableRls('offer', ['organisation_id'], `state = 'open'`));
    for (const { ratings, ...model } of CATALOGUE) {
      const { gpuModelId, displayName, vramMib, segment, purchase, cloud } = model;
      await runner.query(`INSERT INTO gpu_model VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)`, [
        ...[gpuModelId, displayName, vramMib, segment],
        ...[purchase.micros.toString(), purchase.source, cloud.micros.toString(), cloud.source],
      ]);
      for (const { workKind, mscu, source } of ratings) {
        await runner.query(`INSERT INTO scu_rating VALUES ($1, $2, 1, $3, $4)`, [gpuModelId, workKind, mscu, source]);
      }
    }
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only go forward'));
  }
}
