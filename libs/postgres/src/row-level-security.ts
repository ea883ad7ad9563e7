/** The organisation of this transaction, as SQL; NULL (equal to nothing) when the scope was forgotten. */
export const ORGANISATION_SQL = `nullif(current_setting('app.organisation', true), '')::uuid`;

const IDENTIFIER = /^[a-z_][a-z0-9_]*$/;

/**
 * Statements that let an organisation read and write the rows in which it is one of the parties (uuid columns).
 * `publicWhen` is an SQL condition for rows that everybody may read (an open offer, the catalogue).
 */
export function enableRls(table: string, partyColumns: readonly string[], publicWhen?: string): string[] {
  if (partyColumns.length === 0) throw new Error(`${table}: name at least one party column`);
  const statements = enableRlsWhere(table, `${ORGANISATION_SQL} IN (${partyColumns.map(identifier).join(', ')})`);
  if (publicWhen !== undefined)
    statements.push(`CREATE POLICY ${table}_public ON ${table} FOR SELECT USING (${publicWhen})`);
  return statements;
}

/** The same with a condition of one's own (children of a table with parties). */
export function enableRlsWhere(table: string, condition: string): string[] {
  return [
    `ALTER TABLE ${identifier(table)} ENABLE ROW LEVEL SECURITY`,
    `CREATE POLICY ${table}_parties ON ${table} FOR ALL USING (${condition}) WITH CHECK (${condition})`,
  ];
}

/** Statements that hide a table from the scoped role altogether (consumers' projections, engine state). */
export const systemOnly = (table: string): string[] => [`ALTER TABLE ${identifier(table)} ENABLE ROW LEVEL SECURITY`];

/** Guards the few places where a name becomes part of a statement. */
export function identifier(name: string): string {
  if (!IDENTIFIER.test(name)) throw new Error(`not an SQL identifier: ${name}`);
  return name;
}
