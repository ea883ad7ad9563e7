// Small changes of a source file, after the published list of Stryker's mutators
// (https://stryker-mutator.io/docs/mutation-testing-elements/supported-mutators/): one change per mutant, by position.
import ts from 'typescript';

const K = ts.SyntaxKind;

/** Operator → what takes its place. */
const ARITHMETIC = {
  [K.PlusToken]: '-',
  [K.MinusToken]: '+',
  [K.AsteriskToken]: '/',
  [K.SlashToken]: '*',
  [K.PercentToken]: '*',
};
const EQUALITY = {
  [K.LessThanToken]: ['<=', '>='],
  [K.LessThanEqualsToken]: ['<', '>'],
  [K.GreaterThanToken]: ['>=', '<='],
  [K.GreaterThanEqualsToken]: ['>', '<'],
  [K.EqualsEqualsEqualsToken]: ['!=='],
  [K.ExclamationEqualsEqualsToken]: ['==='],
};
const LOGICAL = { [K.AmpersandAmpersandToken]: '||', [K.BarBarToken]: '&&', [K.QuestionQuestionToken]: '&&' };
const ASSIGNMENT = { [K.PlusEqualsToken]: '-=', [K.MinusEqualsToken]: '+=', [K.AsteriskEqualsToken]: '/=' };
const METHODS = {
  min: 'max',
  max: 'min',
  some: 'every',
  every: 'some',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  floor: 'ceil',
  ceil: 'floor',
};

/**
 * Every mutant of one file.
 * @returns {{ file: string, line: number, mutator: string, start: number, end: number, old: string, new: string }[]}
 */
export function mutantsOf(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const found = [];
  const add = (mutator, node, replacement) => {
    const [start, end] = [node.getStart(source), node.getEnd()];
    const line = source.getLineAndCharacterOfPosition(start).line + 1;
    found.push({ file, line, mutator, start, end, old: text.slice(start, end), new: replacement });
  };
  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isImportDeclaration(node) || isErrorText(node)) return;
    mutate(node, add);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** What is said to people when something is thrown: no test should hang on it. */
const isErrorText = (node) => ts.isThrowStatement(node) && ts.isNewExpression(node.expression);

function mutate(node, add) {
  if (ts.isBinaryExpression(node)) mutateBinary(node, add);
  else if (ts.isPrefixUnaryExpression(node)) mutateUnary(node, add);
  else if (node.kind === K.TrueKeyword) add('BooleanLiteral', node, 'false');
  else if (node.kind === K.FalseKeyword) add('BooleanLiteral', node, 'true');
  else if (ts.isIfStatement(node))
    for (const value of ['true', 'false']) add('ConditionalExpression', node.expression, value);
  else if (ts.isConditionalExpression(node))
    for (const value of ['true', 'false']) add('ConditionalExpression', node.condition, value);
  else if (ts.isBlock(node) && node.statements.length > 0 && mayBeEmpty(node)) add('BlockStatement', node, '{}');
  else if (ts.isCallExpression(node)) mutateCall(node, add);
}

function mutateBinary(node, add) {
  const { operatorToken, left, right } = node;
  const isText = [left, right].some((side) => ts.isStringLiteralLike(side) || ts.isTemplateExpression(side));
  const arithmetic = ARITHMETIC[operatorToken.kind];
  if (arithmetic && !isText) add('ArithmeticOperator', operatorToken, arithmetic);
  for (const other of EQUALITY[operatorToken.kind] ?? []) add('EqualityOperator', operatorToken, other);
  const logical = LOGICAL[operatorToken.kind];
  // `a ?? b || c` does not parse, so the whole expression gets its own brackets.
  if (logical) add('LogicalOperator', node, `((${left.getText()}) ${logical} (${right.getText()}))`);
  const assignment = ASSIGNMENT[operatorToken.kind];
  if (assignment) add('AssignmentOperator', operatorToken, assignment);
}

function mutateUnary(node, add) {
  if (node.operator === K.ExclamationToken) add('BooleanLiteral', node, `(${node.operand.getText()})`);
  if (node.operator === K.MinusToken) add('UnaryOperator', node, `(${node.operand.getText()})`);
}

function mutateCall(node, add) {
  if (!ts.isPropertyAccessExpression(node.expression)) return;
  const { name, expression } = node.expression;
  const other = METHODS[name.text];
  if (other) add('MethodExpression', name, other);
  if (['filter', 'sort', 'toSorted', 'slice', 'trim'].includes(name.text))
    add('MethodExpression', node, expression.getText());
}

/** A constructor that only takes parameters in, or a switch, has nothing to lose. */
const mayBeEmpty = (block) => !ts.isConstructorDeclaration(block.parent) && !ts.isTryStatement(block.parent);

export const applied = (text, { start, end, new: replacement }) => text.slice(0, start) + replacement + text.slice(end);
