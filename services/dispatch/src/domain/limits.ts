/** Every limit of dispatch. Agents are strangers: whatever they can send without end has one. */

export const KIB = 1_024;
export const MIB = 1_024 * KIB;

/** The newest protocol that dispatch speaks, and how many older ones it still serves. */
export const PROTOCOL_VERSION = 1;
export const PROTOCOL_VERSIONS_BACK = 2;

export const LOG_CHUNK_BYTES_MAX = 32 * KIB;
export const BLOB_CHUNK_BYTES_MAX = 128 * KIB;

/** Reports and usage blocks of one agent that are under way; more are dropped, and the agent sends them again. */
export const REPORTS_OUTSTANDING_MAX = 64;
export const BLOCKS_OUTSTANDING_MAX = 16;
/** Usage blocks of all agents that wait for Kafka. */
export const BLOCK_BYTES_OUTSTANDING_MAX = 32 * MIB;
/** Frames that an agent has not taken yet; a stream this far behind is closed. */
export const OUTBOX_FRAMES_MAX = 1_024;
export const OUTBOX_BYTES_MAX = 16 * MIB;

/** Eight GPUs, fractions, and what a node may have accepted ahead. */
export const HELD_LEASES_MAX = 64;
export const TICKS_MAX = 2_000;
export const ARTIFACTS_MAX = 1_000;
export const ARTIFACT_PATH_BYTES_MAX = 512;
export const VERSION_LENGTH_MAX = 64;

/** One call of the scheduler takes this many at most. */
export const REPORTS_PER_CALL_MAX = 256;
export const HEARTBEATS_PER_CALL_MAX = 1_000;
export const OFFERS_PER_CALL_MAX = 64;
/** Services take requests of up to 256 KiB; a batch stays well below, a single report a little. */
export const BATCH_BYTES_MAX = 192 * KIB;
export const REPORT_BYTES_MAX = 240 * KIB;
/** Items that wait for a call; more are refused and come again. */
export const BATCH_QUEUE_MAX = 20_000;
/**
 * How long the first item of a batch waits for company. A report counts from when it arrived here, so its wait costs nobody
 * money; each call is a transaction of the scheduler, which a busy market could not pay for every single report.
 */
export const REPORT_DELAY_MS = 100;
export const HEARTBEAT_DELAY_MS = 100;
/** A customer waits for these: only what is asked in one turn, or while calls are out, goes together. */
export const OFFER_DELAY_MS = 0;

/** A certificate's state may be this old when something new is asked for. */
export const CERTIFICATE_CACHE_MS = 1_000;
/** How often an open stream's certificate is asked for again; with the cache below the 5 s in which a revocation must work. */
export const CERTIFICATE_RECHECK_MS = 3_500;
/** Registry is down: streams that were good stay open this long. Nothing can be revoked while it is down. */
export const CERTIFICATE_GRACE_MS = 300_000;
export const CERTIFICATE_CHECKS_IN_FLIGHT_MAX = 256;
/** One call of registry takes this many at most. */
export const CERTIFICATES_PER_CALL_MAX = 100;

/** Transfers of blobs at once, in all and for one node or organisation. */
export const TRANSFERS_MAX = 256;
export const TRANSFERS_PER_OWNER_MAX = 16;
export const FOLLOWERS_MAX = 2_000;
export const FOLLOWERS_PER_JOB_MAX = 32;

/** An image's manifest or index. */
export const MANIFEST_BYTES_MAX = 1 * MIB;
export const MANIFEST_BLOBS_MAX = 256;
/** Files of one lease's artifacts together with its uploads that no report named. */
export const UPLOADS_PER_LEASE_MAX = 4_000;

/** Offers whose agent was not connected, kept for its return. */
export const MISSED_OFFERS_MAX = 20_000;

/** A lease that has ended keeps its permit for late log chunks; one that never ended is forgotten much later. */
export const PERMIT_AFTER_END_MS = 3_600_000;
export const PERMIT_MAX_AGE_MS = 45 * 86_400_000;
export const LOG_MAX_AGE_MS = 30 * 86_400_000;
