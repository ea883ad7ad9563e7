// Reads the authz option of every Daya RPC out of the descriptor image: ts-proto drops custom options.
const OPTION = '[daya.options.v1.authz]';
const ROLES = ['viewer', 'member', 'admin', 'owner'];
const SERVICE = /^[a-z][a-z0-9-]*$/;
const SCOPE = /^[a-z][a-z-]*:[a-z]+$/;

function problemsOf(path, authz) {
  if (authz === undefined) return [`${path} has no authz option`];
  const found = [];
  const { services = [], role = '', scope = '', agents = false, operator = false, anonymous = false } = authz;
  const { anyKey = false } = authz;
  if (role !== '' && !ROLES.includes(role)) found.push(`${path}: role "${role}" is none of ${ROLES.join(', ')}`);
  if (scope !== '' && !SCOPE.test(scope)) found.push(`${path}: scope "${scope}" is not like "jobs:write"`);
  if (scope !== '' && role === '' && !operator) found.push(`${path}: a scope needs a role or operator beside it`);
  if ((ROLES.includes(role) || operator) && (scope !== '') === anyKey)
    found.push(`${path}: what members may call needs a scope or any_key, one of them`);
  for (const service of services)
    if (!SERVICE.test(service)) found.push(`${path}: "${service}" is not a service's name`);
  if (services.length === 0 && role === '' && !agents && !operator && !anonymous)
    found.push(`${path}: authz lets nobody in`);
  return found;
}

/** The table as TypeScript source, and every RPC whose option is missing or makes no sense. `image` is a FileDescriptorSet as JSON. */
export function authzTable(image) {
  const rules = {};
  const problems = [];
  for (const file of image.file.filter((one) => (one.package ?? '').startsWith('daya.'))) {
    for (const service of file.service ?? []) {
      for (const method of service.method ?? []) {
        const path = `/${file.package}.${service.name}/${method.name}`;
        const authz = method.options?.[OPTION];
        problems.push(...problemsOf(path, authz));
        const { services = [], role, scope, agents = false, operator = false, anonymous = false } = authz ?? {};
        rules[path] = { services, role: role || undefined, scope: scope || undefined, agents, operator, anonymous };
      }
    }
  }
  const lines = Object.entries(rules).map(([path, rule]) => `  '${path}': ${literal(rule)},\n`);
  const source = `import type { AuthzRule } from '../authz-rule';\n\nexport const AUTHZ: Readonly<Record<string, AuthzRule>> = {\n${lines.join('')}};\n`;
  return { source, problems };
}

const literal = (rule) =>
  `{ ${Object.entries(rule)
    .map(([key, value]) => `${key}: ${value === undefined ? 'undefined' : JSON.stringify(value)}`)
    .join(', ')} }`;
