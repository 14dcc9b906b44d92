/** SQL as a tagged template: values are bound, pieces of SQL are spliced. One text for both databases. */
export type SqlValue = string | number | Uint8Array | null;

export class Sql {
  readonly strings: readonly string[];
  readonly parts: readonly (SqlValue | Sql)[];

  constructor(strings: readonly string[], parts: readonly (SqlValue | Sql)[]) {
    this.strings = strings;
    this.parts = parts;
  }

  /** The statement's text with a placeholder per bound value, and the values in their order. */
  render(placeholder: (index: number) => string): { text: string; values: SqlValue[] } {
    const values: SqlValue[] = [];
    const write = (statement: Sql): string =>
      statement.strings.reduce((text, string, i) => {
        if (i === 0) return string;
        const part = statement.parts[i - 1] as SqlValue | Sql;
        if (part instanceof Sql) return text + write(part) + string;
        values.push(part);
        return text + placeholder(values.length) + string;
      });
    return { text: write(this), values };
  }
}

export function sql(strings: TemplateStringsArray, ...parts: (SqlValue | Sql)[]): Sql {
  return new Sql(strings, parts);
}

export const nothing = new Sql([""], []);

/** Trusted text, such as a column's name from this code base; never anything a client sent. */
export function raw(text: string): Sql {
  return new Sql([text], []);
}

export function join(pieces: readonly (SqlValue | Sql)[], separator = ", "): Sql {
  if (pieces.length === 0) return nothing;
  return new Sql(["", ...Array(pieces.length - 1).fill(separator), ""], pieces);
}

/** `where a and b`, or nothing when there is no condition. */
export function where(conditions: readonly (Sql | undefined)[]): Sql {
  const present = conditions.filter((condition) => condition !== undefined);
  return present.length === 0 ? nothing : sql`where ${join(present, " and ")}`;
}
