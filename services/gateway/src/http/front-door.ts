import type { IncomingMessage, ServerResponse } from 'node:http';
import { withSpan, type Logger } from '@daya/nest';
import type { Admission, Admitted } from '../access/admission';
import type { RouteTable } from '../api/route-table';
import { tellAnswer } from './answers';
import { sendProblem, setRateHeaders, type Exchange } from './exchange';
import { isBug } from './problem';

/** A request that was let in, on its way to what serves it. */
export interface Visit {
  readonly exchange: Exchange;
  readonly admitted: Admitted;
  readonly variables: ReadonlyMap<string, string>;
}

/** Answers one request; what it throws before the first byte becomes a problem. */
export type Handler = (visit: Visit) => Promise<void>;

export type Route =
  | { readonly open: false; readonly handle: Handler }
  | { readonly open: true; readonly handle: (exchange: Exchange) => void };

/** Nobody has read a status: without one of its own an abandoned call would count as a quick success. */
const CALLER_LEFT = 499;

/** Route → key → rate → handler. Nothing of the request's headers travels on: identity is made here, from the key alone. */
export class FrontDoor {
  constructor(
    private readonly routes: RouteTable<Route>,
    private readonly admission: Admission,
    private readonly log: Logger,
    private readonly trustedProxies: number,
  ) {}

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = performance.now();
    const verb = request.method ?? '';
    await withSpan(`HTTP ${verb}`, async (span) => {
      const exchange = this.exchangeOf(request, response, span.spanContext().traceId);
      const { path, traceId } = exchange;
      const answer = { verb, path, traceId, route: '', reason: '' };
      response.once('close', () => {
        const seconds = (performance.now() - startMs) / 1_000;
        // A stream that has begun is left whenever its reader has seen enough.
        const status = exchange.gone.aborted && !response.headersSent ? CALLER_LEFT : response.statusCode;
        tellAnswer(this.log, { ...answer, status, seconds });
      });
      try {
        await this.serve(verb, exchange, (route) => (answer.route = route));
      } catch (error) {
        answer.reason = this.fail(exchange, error);
      }
    });
  }

  private async serve(verb: string, exchange: Exchange, onRoute: (route: string) => void): Promise<void> {
    const { target, template, variables } = this.routes.find(verb, exchange.path);
    onRoute(template.text);
    exchange.response.setHeader('x-content-type-options', 'nosniff');
    exchange.response.setHeader('cache-control', 'no-store');
    if (target.open) {
      setRateHeaders(exchange.response, this.admission.admitAnyone(exchange.address));
      return target.handle(exchange);
    }
    const admitted = await this.admission.admit(exchange.request.headers.authorization, exchange.address);
    setRateHeaders(exchange.response, admitted.rate);
    await withSpan(`${verb} ${template.text}`, () => target.handle({ exchange, admitted, variables }));
  }

  /** Returns the reason that the caller was given; empty when it got none. */
  private fail(exchange: Exchange, error: unknown): string {
    const { response, gone } = exchange;
    if (gone.aborted) return '';
    if (isBug(error)) this.log.error({ err: error, path: exchange.path }, 'request failed');
    // An answer that has begun cannot become another one: cutting it is how the caller learns that it is not whole.
    if (!response.headersSent) return sendProblem(exchange, error);
    response.destroy();
    return '';
  }

  private exchangeOf(request: IncomingMessage, response: ServerResponse, traceId: string): Exchange {
    const controller = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) controller.abort(new Error('the caller left'));
    });
    response.on('error', () => undefined);
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    return { request, response, path, query, address: this.addressOf(request), traceId, gone: controller.signal };
  }

  /** The address behind the proxies that are ours; what else the header claims is not believed. */
  private addressOf(request: IncomingMessage): string {
    const own = request.socket.remoteAddress ?? '';
    const header = request.headers['x-forwarded-for'];
    if (this.trustedProxies === 0 || typeof header !== 'string') return own;
    return header.split(',').at(-this.trustedProxies)?.trim() || own;
  }
}
