import { PathTemplate } from './path-template';
import { RouteTable } from './route-table';

test.each([
  ['/v1/jobs/{job_id}', '/v1/jobs/a%20b', { job_id: 'a b' }],
  ['/v1/jobs/{job_id}:cancel', '/v1/jobs/x:cancel', { job_id: 'x' }],
  ['/v1/a/{b.c_d}/e/{f}', '/v1/a/1:2/e/3', { 'b.c_d': '1:2', f: '3' }],
  ['/v1/f/{path=**}', '/v1/f/a/b%2Fc/..', { path: 'a/b/c/..' }],
])('%s matches %s', (template, path, variables) => {
  expect(Object.fromEntries(PathTemplate.parse(template).match(path) ?? [])).toEqual(variables);
});

test.each([
  ['/v1/jobs/{job_id}', '/v1/jobs/'],
  ['/v1/jobs/{job_id}', '/v1/jobs/a:cancel'],
  ['/v1/jobs/{job_id}', '/v1/jobs/a/b'],
  ['/v1/jobs/{job_id}', '/v1/jobs/%zz'],
  ['/v1/jobs/{job_id}', '/v1/jobs/%c0%af'],
  ['/v1/jobs.x', '/v1/jobsax'],
  ['/v1/f/{path=**}', '/v1/f/'],
])('%s does not match %s', (template, path) => {
  expect(PathTemplate.parse(template).match(path)).toBeUndefined();
});

test('what is not understood is an error at start', () => {
  for (const text of ['/v1/{a=jobs/*}', '/v1/*', '/v1/{}'])
    expect(() => PathTemplate.parse(text)).toThrow('not supported');
});

test('of two routes the more literal one wins, and a route exists once', () => {
  const table = new RouteTable<string>();
  table.add('GET', PathTemplate.parse('/v1/{any}'), 'any');
  table.add('GET', PathTemplate.parse('/v1/jobs'), 'jobs');
  expect(table.find('GET', '/v1/jobs').target).toBe('jobs');
  expect(table.find('GET', '/v1/else').target).toBe('any');
  expect(() => table.add('GET', PathTemplate.parse('/v1/jobs'), 'again')).toThrow('twice');
  expect(() => table.find('PUT', '/v1/jobs')).toThrow(
    expect.objectContaining({ status: 405, headers: { allow: 'GET' } }),
  );
});
