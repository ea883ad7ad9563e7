import type { PathTemplate } from './path-template';
import { HttpRefusal } from '../http/refusal';

export interface Found<T> {
  readonly target: T;
  readonly template: PathTemplate;
  /** Path variables, decoded. */
  readonly variables: ReadonlyMap<string, string>;
}

interface Route<T> {
  readonly verb: string;
  readonly template: PathTemplate;
  readonly target: T;
}

/** What is served where. Of several templates that match, the one with the most fixed text wins. */
export class RouteTable<T> {
  private readonly routes: Route<T>[] = [];

  /** Throws a plain Error when the very same route exists. */
  add(verb: string, template: PathTemplate, target: T): void {
    if (this.routes.some((route) => route.verb === verb && route.template.text === template.text))
      throw new Error(`${verb} ${template.text} is served twice`);
    this.routes.push({ verb, template, target });
    this.routes.sort((a, b) => b.template.literalLength - a.template.literalLength);
  }

  /** Throws HttpRefusal 404 ROUTE_NOT_FOUND, or 405 METHOD_NOT_ALLOWED with what is allowed. */
  find(verb: string, path: string): Found<T> {
    const others = new Set<string>();
    for (const { template, target, ...route } of this.routes) {
      const variables = template.match(path);
      if (variables === undefined) continue;
      if (route.verb === verb) return { target, template, variables };
      others.add(route.verb);
    }
    if (others.size === 0) throw new HttpRefusal(404, 'ROUTE_NOT_FOUND', 'there is nothing at this path');
    const allow = [...others].sort().join(', ');
    throw new HttpRefusal(405, 'METHOD_NOT_ALLOWED', `this path answers ${allow}`, { headers: { allow } });
  }
}
