import type { Control } from './control';

/**
 * The controls whose RPCs start with DAYA_HOSTILE_ONLY (`/daya.registry.`), all of them without it; a narrowed run says so.
 * Throws when the prefix leaves none.
 */
export function narrowed(controls: readonly Control[]): readonly Control[] {
  const prefix = process.env['DAYA_HOSTILE_ONLY'] ?? '';
  const chosen = controls.filter(({ rpc }) => rpc.startsWith(prefix));
  if (chosen.length === 0) throw new Error(`no RPC starts with DAYA_HOSTILE_ONLY=${prefix}`);
  if (chosen.length < controls.length)
    process.stderr.write(`NARROWED to ${prefix}: ${chosen.length} of ${controls.length} RPCs are attacked\n`);
  return chosen;
}
