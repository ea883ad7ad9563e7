/** Every limit of the edge. Whoever comes here is a stranger: whatever they can send without end has one. */

const KIB = 1_024;
const SECOND_MS = 1_000;

export const JSON_BODY_BYTES_MAX = 512 * KIB;
/** Of JSON nesting; no public message is as deep. */
export const JSON_DEPTH_MAX = 32;
export const VIOLATIONS_MAX = 50;
/** A JSON body must be here within this time. */
export const BODY_MS = 10 * SECOND_MS;
/** After an early answer this much of an unwanted body is thrown away before the connection is cut. */
export const DISCARD_BYTES_MAX = 16 * KIB * KIB;
export const DISCARD_MS = 5 * SECOND_MS;

/** A unary call over HTTP has this long; partners bring their own deadline, at most the longest. */
export const CALL_MS = 15 * SECOND_MS;
export const PARTNER_DEADLINE_MS_MAX = 60 * SECOND_MS;
/** One gRPC request message of a partner. */
export const PARTNER_MESSAGE_BYTES_MAX = 512 * KIB;

/** What dispatch takes in one message. */
export const BLOB_CHUNK_BYTES = 128 * KIB;

/** An answer of registry about a key is believed this long, counted from when it was asked. */
export const KEY_CACHE_MS = 1_000;
export const BAD_KEY_CACHE_MS = 1_000;
export const KEY_CACHE_MAX = 20_000;
/** Keys of open streams are checked this often: with the cache no stream outlives its key's revocation by 3 s. */
export const KEY_RECHECK_MS = 1_000;
/** Registry does not answer: streams whose key was good stay open this long. Nothing is revoked while it is down. */
export const KEY_GRACE_MS = 60 * SECOND_MS;

export const STREAMS_MAX = 10_000;
export const STREAMS_PER_KEY_MAX = 256;
/** How long the first event of a stream may take before it is opened without one. */
export const FIRST_EVENT_MS = SECOND_MS;
export const SSE_HEARTBEAT_MS = 10 * SECOND_MS;
/** A reader that takes nothing for so long is gone. */
export const STALLED_MS = 60 * SECOND_MS;

/** Token buckets kept in memory; beyond, those that are full again are forgotten first. */
export const BUCKETS_MAX = 50_000;

/** How long registry may take to judge a key; with it a revoked key is dead after 5 s even when registry is slow. */
export const KEY_CHECK_MS = 4 * SECOND_MS;
/** Request headers must be here within this time. */
export const HEADERS_MS = 10 * SECOND_MS;
