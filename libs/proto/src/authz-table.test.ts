import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs the generator's own module, which is plain Node, outside jest's transform. */
function tableOf(authz: object | undefined): { source: string; problems: string[] } {
  const options = authz === undefined ? undefined : { '[daya.options.v1.authz]': authz };
  const image = { file: [{ package: 'daya.a.v1', service: [{ name: 'A', method: [{ name: 'Do', options }] }] }] };
  const script = `import(${JSON.stringify(join(__dirname, '..', 'authz-table.mjs'))}).then((m) => console.log(JSON.stringify(m.authzTable(${JSON.stringify(image)}))))`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

test('an RPC without an authz option is named', () => {
  expect(tableOf(undefined).problems).toEqual(['/daya.a.v1.A/Do has no authz option']);
});

test('options that make no sense are named', () => {
  expect(tableOf({}).problems).toEqual(['/daya.a.v1.A/Do: authz lets nobody in']);
  expect(tableOf({ role: 'king' }).problems).toHaveLength(1);
  expect(tableOf({ services: ['x'], scope: 'jobs:write' }).problems).toHaveLength(1);
  expect(tableOf({ services: ['Not A Service'] }).problems).toHaveLength(1);
  expect(tableOf({ role: 'viewer' }).problems).toEqual([
    '/daya.a.v1.A/Do: what members may call needs a scope or any_key, one of them',
  ]);
  expect(tableOf({ role: 'viewer', scope: 'jobs:read', anyKey: true }).problems).toHaveLength(1);
  expect(tableOf({ role: 'viewer', anyKey: true }).problems).toEqual([]);
});

test('a sound option becomes a rule', () => {
  const { problems, source } = tableOf({ services: ['billing'], role: 'member', scope: 'jobs:write' });
  expect(problems).toEqual([]);
  expect(source).toContain(
    `'/daya.a.v1.A/Do': { services: ["billing"], role: "member", scope: "jobs:write", agents: false`,
  );
});
