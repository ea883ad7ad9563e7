import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from './telemetry/metrics';

export interface AdminParts {
  readonly port: number;
  readonly bindAddress: string;
  /** Why this service takes no work, or undefined when it does. */
  notReady(): string | undefined;
}

/** /livez for restarts, /readyz for traffic, /metrics for Prometheus; GET only, plain text. */
export class AdminHttp {
  private readonly server: Server;

  constructor(private readonly parts: AdminParts) {
    this.server = createServer((request, response) => {
      void this.answer(request.method ?? '', request.url ?? '', response);
    });
    this.server.requestTimeout = 10_000;
  }

  /** Returns the port, also when the system chose it. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.parts.port, this.parts.bindAddress, () =>
        resolve((this.server.address() as AddressInfo).port),
      );
    });
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private async answer(method: string, url: string, response: ServerResponse): Promise<void> {
    if (method !== 'GET') return send(response, 405, 'GET only\n');
    const [path] = url.split('?');
    if (path === '/livez') return send(response, 200, 'ok\n');
    if (path === '/readyz') {
      const reason = this.parts.notReady();
      return reason === undefined ? send(response, 200, 'ok\n') : send(response, 503, `${reason}\n`);
    }
    if (path === '/metrics') return send(response, 200, await metrics.metrics(), metrics.contentType);
    return send(response, 404, 'not found\n');
  }
}

function send(response: ServerResponse, code: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}
