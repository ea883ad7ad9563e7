import RequestQueue from 'kafkajs/src/network/requestQueue';

/**
 * kafkajs 2.2.4 looks for waiting requests again after every look, without end: about 700 times a second and connection,
 * also when none waits (github.com/tulios/kafkajs/issues/1704, open since 2024). Here it looks again only while one does.
 * Throws when kafkajs has changed inside: then this file must be looked at.
 */
export function calmKafkajs(): void {
  const { prototype } = RequestQueue;
  const schedule: unknown = prototype.scheduleCheckPendingRequests;
  if (schedule === calmly) return;
  if (typeof schedule !== 'function') throw new Error('kafkajs is not the version that calm-kafkajs.ts mends');
  original = schedule as () => void;
  prototype.scheduleCheckPendingRequests = calmly;
}

let original: () => void;

function calmly(this: RequestQueue): void {
  if (this.pending.length > 0) original.call(this);
}
