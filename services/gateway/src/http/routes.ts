import type { StreamSlots } from '../access/stream-slots';
import type { ApiMethod, Catalogue } from '../api/catalogue';
import { PathTemplate } from '../api/path-template';
import { RouteTable } from '../api/route-table';
import type { Peers } from '../peers';
import { artifactHandler, GET_ARTIFACT } from './artifact-download';
import { blobUploadHandler, UPLOAD_BLOB } from './blob-upload';
import { sendJson } from './exchange';
import type { Handler, Route } from './front-door';
import { FOLLOW_LOG, taskLogHandler } from './task-log';
import { unaryHandler } from './unary';
import { watchHandler } from './watch';
import type { OpenApiDocument } from '../api/open-api';

/** Paths that no google.api.http option can say: raw bytes in and out, and a stream of another service under jobs. */
export const BLOB_PATH = PathTemplate.parse('/v1/blobs/{sha256}');
export const ARTIFACT_PATH = PathTemplate.parse('/v1/jobs/{job_id}/tasks/{task_index}/artifacts/{path=**}');
export const LOG_PATH = PathTemplate.parse('/v1/jobs/{job_id}/tasks/{task_index}/log');
const OPEN_API_PATH = PathTemplate.parse('/openapi.json');

export interface RouteParts {
  readonly catalogue: Catalogue;
  readonly peers: Peers;
  readonly slots: StreamSlots;
  readonly blobBytesMax: number;
  readonly document: () => OpenApiDocument;
}

/** Everything that HTTP_PORT serves. Throws a plain Error when two things want the same place. */
export function routesOf({ catalogue, peers, slots, blobBytesMax, document }: RouteParts): RouteTable<Route> {
  const table = new RouteTable<Route>();
  const behindKey = (verb: string, template: PathTemplate, handle: Handler): void =>
    table.add(verb, template, { open: false, handle });
  for (const method of catalogue.members) {
    for (const binding of method.bindings) {
      const isStream = method.descriptor.methodKind === 'server_streaming';
      const handle = isStream ? watchHandler(peers, slots, method) : unaryHandler(peers, method, binding);
      behindKey(binding.verb, binding.template, handle);
    }
  }
  const find = (path: string): ApiMethod => {
    const method = catalogue.members.find((one) => one.path === path);
    if (method === undefined) throw new Error(`the descriptors lack ${path}`);
    return method;
  };
  behindKey('PUT', BLOB_PATH, blobUploadHandler(peers, slots, find(UPLOAD_BLOB), blobBytesMax));
  behindKey('GET', ARTIFACT_PATH, artifactHandler(peers, slots, find(GET_ARTIFACT)));
  behindKey('GET', LOG_PATH, taskLogHandler(peers, slots, find(FOLLOW_LOG)));
  table.add('GET', OPEN_API_PATH, { open: true, handle: (exchange) => sendJson(exchange, 200, document()) });
  return table;
}
