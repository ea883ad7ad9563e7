// Writes bench/RESULTS.md: one section per bench, each replaced as a whole when its bench has run again.
import { readFileSync, writeFileSync } from 'node:fs';

const INTRO = `# Results

Written by \`npm run bench -- <name>|all\`. Each section is that bench's last run, with all of its rounds.
`;

/** Puts a bench's section into the file; the others stay as they are. */
export function writeSection(path, outcome) {
  const name = outcome.result.bench;
  const [begin, end] = [`<!-- bench: ${name} -->`, `<!-- end: ${name} -->`];
  const section = `${begin}\n\n${sectionOf(outcome)}\n${end}`;
  const old = textOf(path);
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  const text =
    from >= 0 && to > from ? old.slice(0, from) + section + old.slice(to + end.length) : `${old}\n${section}\n`;
  writeFileSync(path, text);
}

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return INTRO;
  }
}

function sectionOf({ result, rounds, method, peers, seconds, date, loadAverage }) {
  return [
    `## ${result.bench}\n`,
    `${date.toISOString().slice(0, 19)}Z · ${result.machine} · took ${Math.round(seconds)} s · load average when it began ${loadAverage.toFixed(1)}\n`,
    `**Load**: ${result.load}\n`,
    `**Method**: ${method.join('\n\n')}\n`,
    table(
      ['measure', 'median', 'spread', 'unit', 'peer', 'peer median', 'ratio', 'goal', 'met'],
      result.measures.map(measureRow),
    ),
    '**Every round**, in order:\n',
    table(
      ['', ...Array.from({ length: longest(rounds) }, (_, index) => String(index + 1))],
      Object.entries(rounds).map(([name, values]) => [name, ...values.map(short)]),
    ),
    '**Settings**\n',
    ...Object.entries(peers).map(([name, text]) => `- ${name}: ${text}`),
    '',
  ].join('\n');
}

const measureRow = ({ id, value, spread, unit, peer, peer_value, ratio, goal, met }) => [
  id,
  short(value),
  short(spread),
  unit,
  peer ?? '–',
  peer === null ? '–' : short(peer_value),
  ratio === null ? '–' : ratio.toFixed(2),
  goal === null ? '–' : `${goal.on} ${goal.op === '<=' ? '≤' : '≥'} ${goal.number}`,
  met === null ? '–' : met ? 'yes' : '**no**',
];

const longest = (rounds) => Math.max(...Object.values(rounds).map((values) => values.length));

const short = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

function table(head, rows) {
  const line = (cells) => `| ${head.map((_, index) => cells[index] ?? '').join(' | ')} |`;
  return `${line(head)}\n${line(head.map(() => '---'))}\n${rows.map(line).join('\n')}\n`;
}
