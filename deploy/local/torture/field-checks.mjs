// Finds every validation of a request field in the services' sources: a call of a field collector, or a rule of a list of
// rules, that names its field by a literal.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from '../lib/command.mjs';

const COLLECTORS = new Set(['FieldChecks', 'Fields', 'Violations']);
/** Methods that return whether the field passed, and stand in conditions: what remains is a pass. */
const ANSWERING = 'Violations';
/** Methods whose field is fixed by their name. */
const NAMED = { requestId: 'request_id', mask: 'update_mask', pageToken: 'page_token' };
/** Of `require(holds, field, …)` the field comes second. */
const SECOND = new Set(['require']);
const RULES = /^(uuid|sha256|count|token|length)Rule$/;
const NO_CHECK = new Set(['refuse']);

/** @returns {{ file: string, line: number, service: string, field: string, start: number, end: number, old: string, new: string }[]} */
export function fieldChecks() {
  return readdirSync(join(ROOT, 'services'))
    .filter((service) => service !== 'agent' && service !== 'gateway')
    .flatMap((service) =>
      sourcesBelow(`services/${service}/src`).flatMap((file) =>
        checksIn(file, service, readFileSync(join(ROOT, file), 'utf8')),
      ),
    );
}

function sourcesBelow(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return sourcesBelow(path);
      return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : [];
    });
}

/** Those of one file's text. */
export function checksIn(file, service, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const collectors = collectorsOf(source);
  const found = [];
  const visit = (node) => {
    const check = ts.isCallExpression(node) ? checkOf(node, collectors) : undefined;
    if (check !== undefined) {
      const [start, end] = [check.at.getStart(source), check.at.getEnd()];
      const line = source.getLineAndCharacterOfPosition(start).line + 1;
      found.push({ file, line, service, field: check.field, start, end, old: text.slice(start, end), new: check.rest });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Name of a variable or parameter → the collector class that it holds, in this file. */
function collectorsOf(source) {
  const names = new Map();
  const visit = (node) => {
    if ((ts.isParameter(node) || ts.isVariableDeclaration(node)) && ts.isIdentifier(node.name)) {
      const kind = node.type?.getText() ?? madeBy(node.initializer);
      if (COLLECTORS.has(kind)) names.set(node.name.text, kind);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

/** The class at the start of `new X().a().b()`. */
function madeBy(node) {
  if (node === undefined) return undefined;
  if (ts.isNewExpression(node)) return node.expression.getText();
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression))
    return madeBy(node.expression.expression);
  return undefined;
}

function checkOf(call, collectors) {
  const callee = call.expression;
  if (ts.isIdentifier(callee)) return RULES.test(callee.text) ? ruleOf(call) : helperOf(call, collectors);
  if (!ts.isPropertyAccessExpression(callee)) return undefined;
  const method = callee.name.text;
  const kind = collectorOf(callee.expression, collectors);
  if (kind === undefined || NO_CHECK.has(method)) return undefined;
  const field = fieldOf(call.arguments[SECOND.has(method) ? 1 : 0]) ?? NAMED[method];
  if (field === undefined) return undefined;
  if (kind === ANSWERING && method !== 'add') return { at: call, field, rest: 'true' };
  return { at: call, field, rest: isStatement(call) ? 'void 0' : callee.expression.getText() };
}

/** Walks a chain of calls to the variable it starts from. */
function collectorOf(node, collectors) {
  if (ts.isIdentifier(node)) return collectors.get(node.text);
  return COLLECTORS.has(madeBy(node)) ? madeBy(node) : chainStart(node, collectors);
}

function chainStart(node, collectors) {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  return collectorOf(node.expression.expression, collectors);
}

const isStatement = (call) => ts.isExpressionStatement(call.parent) && ts.isIdentifier(call.expression.expression);

/** `checkPath(found, 'output_path', …)`: a helper of this file that is handed the collector and the field, or the field alone. */
function helperOf(call, collectors) {
  const [first, second] = call.arguments;
  if (!ts.isExpressionStatement(call.parent) || first === undefined) return undefined;
  if (ts.isIdentifier(first) && collectors.has(first.text)) return dropped(call, fieldOf(second));
  return /^require[A-Z]/.test(call.expression.text) ? dropped(call, fieldOf(first)) : undefined;
}

const dropped = (call, field) => field && { at: call, field, rest: 'void 0' };

/** A rule of a list becomes one that holds. */
function ruleOf(call) {
  const field = fieldOf(call.arguments[0]);
  return field && { at: call, field, rest: `[${call.arguments[0].getText()}, true, '', '']` };
}

/** The last name of a literal path: `spec.inputs[2].path` is about `path`. */
function fieldOf(node) {
  if (node === undefined) return undefined;
  if (ts.isCallExpression(node) && node.arguments.length === 1) return fieldOf(node.arguments[0]);
  const text = ts.isStringLiteralLike(node)
    ? node.text
    : ts.isTemplateExpression(node)
      ? node.getText().slice(1, -1)
      : '';
  const last = text
    .replace(/\$\{[^}]*\}/g, '')
    .replace(/\[\]$/, '')
    .split('.')
    .at(-1);
  return last !== undefined && /^[a-z][a-z0-9_]*$/.test(last) ? last : undefined;
}
