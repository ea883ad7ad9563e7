import { loadCatalogue } from '../src/api/catalogue';
import { AUTHZ, descriptorImage } from '@daya/proto';
import { World } from './support/world';

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: unknown }[];
  readonly requestBody?: unknown;
  readonly responses: Record<string, unknown>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown>; readonly securitySchemes: unknown };
}

let world: World;
let document: Document;
beforeAll(async () => {
  world = await World.start();
  document = (await (await fetch(`${world.http}/openapi.json`)).json()) as Document;
});
afterAll(() => world.stop());

const { members } = loadCatalogue(descriptorImage(), AUTHZ);
/** Members reach these over HTTP by routes of their own. */
const BY_BYTES = new Set(['FollowLog', 'UploadBlob', 'DownloadBlob']);

test('every RPC that members may call has a route, and every route an operation', () => {
  const routed = members.filter(({ descriptor }) => !BY_BYTES.has(descriptor.name));
  expect(routed.filter(({ bindings }) => bindings.length === 0).map(({ path }) => path)).toEqual([]);
  for (const { bindings, descriptor } of routed)
    for (const { verb, template } of bindings)
      expect(document.paths[template.openApiPath]?.[verb.toLowerCase()]?.operationId).toBe(
        `${descriptor.parent.name}_${descriptor.name}`,
      );
  expect(document.paths['/v1/blobs/{sha256}']).toHaveProperty('put');
  expect(document.paths['/v1/jobs/{job_id}/tasks/{task_index}/artifacts/{path}']).toHaveProperty('get');
  expect(document.paths['/v1/jobs/{job_id}/tasks/{task_index}/log']).toHaveProperty('get');
  expect(Object.keys(document.paths).some((path) => path.includes('*'))).toBe(false);
});

test('every operation is served: without a key it is 401, not 404', async () => {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const verb of Object.keys(operations)) {
      const response = await fetch(world.http + path.replace(/\{[^}]+\}/g, '1'), { method: verb.toUpperCase() });
      expect([`${verb} ${path}`, response.status]).toEqual([`${verb} ${path}`, 401]);
      await response.arrayBuffer();
    }
  }
});

test('the document is consistent in itself', () => {
  expect(document.openapi).toBe('3.1.0');
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths)) {
    const variables = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
    for (const operation of Object.values(operations)) {
      expect(ids.has(operation.operationId)).toBe(false);
      ids.add(operation.operationId);
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name);
      expect(declared.sort()).toEqual([...variables].sort());
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', 'default']));
    }
  }
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!.split('/'));
  for (const steps of refs) {
    const found = steps.reduce<unknown>(
      (node, step) => (node as Record<string, unknown> | undefined)?.[step],
      document,
    );
    expect([steps.join('/'), typeof found]).toEqual([steps.join('/'), 'object']);
  }
  expect(refs.length).toBeGreaterThan(100);
  expect(document.components.securitySchemes).toHaveProperty('apiKey');
  expect(document.components.schemas['Problem']).toHaveProperty('properties.violations');
});
