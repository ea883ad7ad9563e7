import {
  createFileRegistry,
  fromBinary,
  getExtension,
  hasExtension,
  type DescExtension,
  type DescMethod,
  type FileRegistry,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { AuthzRule } from '@daya/proto';
import { PEERS, type Peer } from '../config';
import { PathTemplate } from './path-template';

/** Where an RPC is found over HTTP. */
export interface HttpBinding {
  /** Upper case. */
  readonly verb: string;
  readonly template: PathTemplate;
  /** The request comes as JSON body; else as query parameters. */
  readonly body: boolean;
}

/** One RPC that members may call. */
export interface ApiMethod {
  /** `/daya.x.v1.XService/GetX`. */
  readonly path: string;
  readonly peer: Peer;
  readonly descriptor: DescMethod;
  readonly rule: AuthzRule;
  readonly bindings: readonly HttpBinding[];
}

/** Every RPC of the platform, as the descriptor image and the authz table have it. */
export interface Catalogue {
  readonly registry: FileRegistry;
  readonly members: readonly ApiMethod[];
  /** Paths of the RPCs that members may not call. */
  readonly internal: readonly string[];
}

const HTTP_OPTION = 'google.api.http';

interface HttpRule {
  readonly pattern: { readonly case: string | undefined; readonly value?: unknown };
  readonly body: string;
  readonly additionalBindings: readonly HttpRule[];
}

/** Reads the image that `proto:generate` wrote. Throws when an RPC has no authz rule or a binding that is not understood. */
export function loadCatalogue(image: Uint8Array, authz: Readonly<Record<string, AuthzRule>>): Catalogue {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const http = registry.getExtension(HTTP_OPTION);
  if (http === undefined) throw new Error(`the descriptor image lacks ${HTTP_OPTION}`);
  const members: ApiMethod[] = [];
  const internal: string[] = [];
  for (const peer of PEERS) {
    for (const descriptor of methodsOf(registry, `daya.${peer}.v1`)) {
      const path = `/${descriptor.parent.typeName}/${descriptor.name}`;
      const rule = authz[path];
      if (rule === undefined) throw new Error(`${path} has no authz rule`);
      const isPublic = rule.role !== undefined || rule.operator;
      if (isPublic) members.push({ path, peer, descriptor, rule, bindings: bindingsOf(descriptor, http) });
      else internal.push(path);
    }
  }
  return { registry, members, internal };
}

function methodsOf(registry: FileRegistry, packageName: string): DescMethod[] {
  const files = [...registry.files].filter((file) => file.proto.package === packageName);
  return files.flatMap((file) => file.services).flatMap((service) => service.methods);
}

function bindingsOf(method: DescMethod, http: DescExtension): HttpBinding[] {
  const options = method.proto.options;
  if (options === undefined || !hasExtension(options, http)) return [];
  const rule = getExtension(options, http) as unknown as HttpRule;
  return [rule, ...rule.additionalBindings].map((one) => bindingOf(method, one));
}

function bindingOf(method: DescMethod, { pattern, body }: HttpRule): HttpBinding {
  if (typeof pattern.value !== 'string' || pattern.case === undefined || (body !== '' && body !== '*'))
    throw new Error(`${method.parent.typeName}.${method.name}: only verb, path and body "*" are supported`);
  return { verb: pattern.case.toUpperCase(), template: PathTemplate.parse(pattern.value), body: body === '*' };
}
