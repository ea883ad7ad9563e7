import { createServer, STATUS_CODES, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { StreamSlots } from '../access/stream-slots';
import { HEADERS_MS } from '../limits';
import type { FrontDoor } from './front-door';
import { problemOf, PROBLEM_TYPE } from './problem';
import { HttpRefusal } from './refusal';

const IDLE_SWEEP_MS = 50;
const NO_TRACE = '0'.repeat(32);

/** The REST listener. Stopping ends streams at once and waits for requests in flight; the process limits how long. */
export class HttpServer {
  private readonly server: Server;
  private boundPort = 0;

  constructor(
    door: FrontDoor,
    private readonly slots: StreamSlots,
    private readonly options: { readonly port: number; readonly bindAddress: string; readonly drainMs: number },
  ) {
    this.server = createServer({ requireHostHeader: true, insecureHTTPParser: false }, (request, response) => {
      void door.answer(request, response);
    });
    this.server.headersTimeout = HEADERS_MS;
    // An upload may take as long as it moves: JSON bodies and silent uploads have limits of their own.
    this.server.requestTimeout = 0;
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseUnreadable(error, socket));
  }

  /** The port, also when the system chose it. */
  get port(): number {
    return this.boundPort;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port, this.options.bindAddress, () => {
        this.boundPort = (this.server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    this.slots.endAll();
    return new Promise((resolve) => {
      const cut = setTimeout(() => this.server.closeAllConnections(), this.options.drainMs);
      // A connection that was kept alive is idle once its answer is out.
      const sweep = setInterval(() => this.server.closeIdleConnections(), IDLE_SWEEP_MS);
      this.server.close(() => {
        clearTimeout(cut);
        clearInterval(sweep);
        resolve();
      });
    });
  }
}

/** What the parser cannot read, two lengths in one request among it, gets an answer too, and the connection ends. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([431, 'HEADERS_TOO_LARGE'] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ([408, 'HEADERS_TOO_SLOW'] as const)
        : ([400, 'REQUEST_NOT_HTTP'] as const);
  const body = JSON.stringify(problemOf(new HttpRefusal(status, reason, 'the request is not readable'), NO_TRACE));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
