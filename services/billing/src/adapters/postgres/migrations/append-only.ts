/** Refuses every change of a stored row, also to the owner of the table; rights alone would not stop the owner. */
export const APPEND_ONLY_FUNCTION = `
  CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
  END $$`;

/** Statements that leave the service's roles INSERT and SELECT on a table, and everyone else nothing more either. */
export function appendOnly(table: string): string[] {
  return [
    `REVOKE UPDATE, DELETE, TRUNCATE ON ${table} FROM billing, billing_system`,
    `CREATE TRIGGER ${table}_append_only BEFORE UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
    `CREATE TRIGGER ${table}_no_truncate BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ];
}
