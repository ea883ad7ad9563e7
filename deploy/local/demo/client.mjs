// A front end's view of Daya: the gateway's REST API with an API key, JSON in and out, errors as they come (RFC 9457).
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';

const CALL_MS = 30_000;

export class ApiError extends Error {
  constructor(status, problem) {
    super(
      `${status} ${problem.reason ?? problem.title ?? ''}: ${problem.detail ?? ''} ${JSON.stringify(problem.violations ?? '')}`,
    );
    this.status = status;
    this.reason = problem.reason;
  }
}

export class Client {
  constructor(http, key) {
    this.http = http;
    this.key = key;
  }

  /** GET; resolves the JSON. Throws ApiError. */
  get(path) {
    return this.send('GET', path);
  }

  /** POST with a request_id of its own, so that a retry after a lost answer does nothing twice. */
  post(path, body = {}) {
    return this.send('POST', path, { requestId: randomUUID(), ...body });
  }

  async send(method, path, body, retries = 3) {
    const reply = await this.fetch(path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    if (reply.status === 503 && retries > 0) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return this.send(method, path, body, retries - 1);
    }
    const json = await reply.json();
    if (!reply.ok) throw new ApiError(reply.status, json);
    return json;
  }

  fetch(path, options) {
    return fetch(this.http + path, {
      ...options,
      headers: { ...options.headers, authorization: `Bearer ${this.key}` },
    });
  }

  /** Every page of a list. */
  async list(path, field) {
    const items = [];
    let token = '';
    do {
      const separator = path.includes('?') ? '&' : '?';
      const page = await this.get(`${path}${separator}pageSize=200&pageToken=${encodeURIComponent(token)}`);
      items.push(...(page[field] ?? []));
      token = page.nextPageToken ?? '';
    } while (token);
    return items;
  }

  /** Uploads a blob: a file's path, or bytes. */
  async upload(sha256, source) {
    const body = typeof source === 'string' ? createReadStream(source) : source;
    const reply = await this.fetch(`/v1/blobs/${sha256}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body,
      duplex: 'half',
      signal: AbortSignal.timeout(300_000),
    });
    if (!reply.ok) throw new ApiError(reply.status, await reply.json());
  }

  async download(path) {
    const reply = await this.fetch(path, { signal: AbortSignal.timeout(60_000) });
    if (!reply.ok) throw new ApiError(reply.status, await reply.json());
    return Buffer.from(await reply.arrayBuffer());
  }

  /** Server-sent events of a path, as parsed JSON, until the stream ends or `signal` fires. */
  async *events(path, signal) {
    const reply = await this.fetch(path, { headers: { accept: 'text/event-stream' }, signal });
    if (!reply.ok) throw new ApiError(reply.status, await reply.json());
    let buffer = '';
    for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
      buffer += chunk;
      let end;
      while ((end = buffer.indexOf('\n\n')) >= 0) {
        const event = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        const data = event
          .split('\n')
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5))
          .join('\n');
        if (data) yield JSON.parse(data);
      }
    }
  }
}
