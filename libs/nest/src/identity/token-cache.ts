const MAX_ENTRIES = 10_000;

/**
 * Verified tokens until they expire. The key is the whole token: V8's map hashes it, and only an exact match is a hit,
 * so nothing is verified twice and nothing unverified passes. Expired entries go when the map is full.
 */
export class TokenCache<Claims> {
  private readonly entries = new Map<string, { readonly claims: Claims; readonly expiresAtMs: number }>();

  constructor(private readonly nowMs: () => number) {}

  get(token: string): Claims | undefined {
    const entry = this.entries.get(token);
    if (entry === undefined) return undefined;
    if (entry.expiresAtMs > this.nowMs()) return entry.claims;
    this.entries.delete(token);
    return undefined;
  }

  put(token: string, claims: Claims, expiresAtMs: number): void {
    if (this.entries.size >= MAX_ENTRIES) this.makeRoom();
    this.entries.set(token, { claims, expiresAtMs });
  }

  private makeRoom(): void {
    const nowMs = this.nowMs();
    for (const [token, entry] of this.entries) if (entry.expiresAtMs <= nowMs) this.entries.delete(token);
    if (this.entries.size >= MAX_ENTRIES) this.entries.clear();
  }
}
