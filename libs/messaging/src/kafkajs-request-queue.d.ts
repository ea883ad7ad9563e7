/** The part of kafkajs's inside that calm-kafkajs.ts mends. */
declare module 'kafkajs/src/network/requestQueue' {
  export default class RequestQueue {
    constructor(options: object);
    readonly pending: readonly unknown[];
    push(request: object): void;
    fulfillRequest(response: object): void;
    maybeThrottle(ms: number): void;
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
  }
}
