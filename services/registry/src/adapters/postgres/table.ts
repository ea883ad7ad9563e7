import type { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';

type Kind = 'plain' | 'bigint' | 'json' | 'optional';

/** How each field of a record is stored: `plain` as it is, `bigint` as text, `json`, `optional` as NULL when undefined. */
export type Columns<T> = { readonly [K in keyof T]-?: Kind };

type Row = Record<string, unknown>;

/** Maps one record type to one table. Columns are the fields' names in snake case; there is no other magic. */
export class Table<T extends object> {
  readonly columns: string;
  private readonly fields: readonly [field: keyof T & string, kind: Kind][];

  constructor(
    readonly name: string,
    private readonly keys: readonly (keyof T & string)[],
    columns: Columns<T>,
  ) {
    this.fields = Object.entries(columns) as [keyof T & string, Kind][];
    this.columns = this.fields.map(([field]) => columnOf(field)).join(', ');
  }

  /** Does not wait: a row that is there already fails the transaction, as the refusal named for the constraint. */
  insert(em: EntityManager, record: T, refusals: Readonly<Record<string, () => DomainError>> = {}): Promise<void> {
    const places = this.fields.map((_, index) => `$${index + 1}`).join(', ');
    return write(em, `INSERT INTO ${this.name} (${this.columns}) VALUES (${places})`, this.valuesOf(record), refusals);
  }

  /** Replaces the row of the same key. A missing row is a bug: the caller holds its lock. */
  async update(em: EntityManager, record: T): Promise<void> {
    const sets = this.fields.map(([field], index) => `${columnOf(field)} = $${index + 1}`).join(', ');
    const where = this.keys.map((key, index) => `${columnOf(key)} = $${this.fields.length + index + 1}`).join(' AND ');
    const keys = this.keys.map((key) => record[key]);
    const [, count] = await em.query<[unknown, number]>(`UPDATE ${this.name} SET ${sets} WHERE ${where}`, [
      ...this.valuesOf(record),
      ...keys,
    ]);
    if (count !== 1) throw new Error(`${this.name} ${String(keys)} is not stored`);
  }

  /** Replaces the rows of the same keys in one statement. A missing row is a bug: the caller holds their locks. */
  async updateAll(em: EntityManager, records: readonly T[]): Promise<void> {
    if (records.length === 0) return;
    const isKey = ([field]: readonly [string, Kind]): boolean => (this.keys as readonly string[]).includes(field);
    const sets = this.fields
      .filter((field) => !isKey(field))
      .map(([field]) => `${columnOf(field)} = n.${columnOf(field)}`);
    const where = this.keys.map((key) => `t.${columnOf(key)} = n.${columnOf(key)}`);
    const rows = records.map((record) =>
      Object.fromEntries(this.fields.map(([field, kind]) => [columnOf(field), writeInJson(kind, record[field])])),
    );
    const [, count] = await em.query<[unknown, number]>(
      `UPDATE ${this.name} t SET ${sets.join(', ')} FROM jsonb_populate_recordset(NULL::${this.name}, $1::jsonb) AS n WHERE ${where.join(' AND ')}`,
      [JSON.stringify(rows)],
    );
    if (count !== records.length)
      throw new Error(`${records.length} rows of ${this.name} were to be replaced, ${count} were`);
  }

  /** Rows that satisfy an SQL condition over the table. */
  async select(em: EntityManager, condition: string, values: readonly unknown[]): Promise<T[]> {
    const rows: Row[] = await em.query(`SELECT ${this.columns} FROM ${this.name} ${condition}`, [...values]);
    return rows.map((row) => this.fromRow(row));
  }

  async first(em: EntityManager, condition: string, values: readonly unknown[]): Promise<T | undefined> {
    return (await this.select(em, condition, values))[0];
  }

  fromRow(row: Row): T {
    return Object.fromEntries(this.fields.map(([field, kind]) => [field, readAs(kind, row[columnOf(field)])])) as T;
  }

  private valuesOf(record: T): unknown[] {
    return this.fields.map(([field, kind]) => writeAs(kind, record[field]));
  }
}

const columnOf = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function writeAs(kind: Kind, value: unknown): unknown {
  if (value === undefined) return null;
  if (kind === 'json') return JSON.stringify(value);
  return kind === 'bigint' ? String(value) : value;
}

/** The same inside a JSON document, where a JSON column needs no text of its own. */
const writeInJson = (kind: Kind, value: unknown): unknown => (kind === 'json' ? value : writeAs(kind, value));

function readAs(kind: Kind, value: unknown): unknown {
  if (value === null) return undefined;
  return kind === 'bigint' ? BigInt(value as string) : value;
}
