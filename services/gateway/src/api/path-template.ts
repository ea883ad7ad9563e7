const VARIABLE = /\{([a-z][a-z0-9_.]*)(=\*\*)?\}/g;
const REST = '=**';

/**
 * A path of google.api.http: literals, `{field.path}` for one segment, `:verb` at the end. `{field=**}` takes the rest,
 * slashes included. Matches the path as it was sent, without resolving `..`, and decodes each segment.
 */
export class PathTemplate {
  private constructor(
    readonly text: string,
    readonly variables: readonly string[],
    private readonly pattern: RegExp,
    /** How many characters are fixed: of two templates that match, the one with more wins. */
    readonly literalLength: number,
  ) {}

  /** Throws a plain Error for a template that is not understood. */
  static parse(text: string): PathTemplate {
    const variables: string[] = [];
    let source = '';
    let literalLength = 0;
    let last = 0;
    const literal = (piece: string): void => {
      if (/[{}*]/.test(piece)) throw new Error(`the path template ${text} is not supported`);
      source += piece.replace(/[.+?^$()|[\]\\]/g, '\\$&');
      literalLength += piece.length;
    };
    for (const match of text.matchAll(VARIABLE)) {
      literal(text.slice(last, match.index));
      last = match.index + match[0].length;
      variables.push(match[1] ?? '');
      const isLastSegment = !text.slice(last).includes('/');
      source += match[2] === REST ? '(.+)' : isLastSegment ? '([^/:]+)' : '([^/]+)';
    }
    literal(text.slice(last));
    return new PathTemplate(text, variables, new RegExp(`^${source}$`), literalLength);
  }

  /** Variable → decoded value; undefined when the path is another one or its escapes are broken. */
  match(path: string): ReadonlyMap<string, string> | undefined {
    const found = this.pattern.exec(path);
    if (found === null) return undefined;
    try {
      return new Map(this.variables.map((name, index) => [name, decode(found[index + 1] ?? '')]));
    } catch {
      return undefined;
    }
  }

  /** As OpenAPI writes it: without the `=**`. */
  get openApiPath(): string {
    return this.text.replaceAll(REST, '');
  }
}

/** Throws URIError for escapes that are no UTF-8. */
const decode = (value: string): string => value.split('/').map(decodeURIComponent).join('/');
