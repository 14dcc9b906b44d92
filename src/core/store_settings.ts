/** `[store]` in crewship.toml: what is embedded of store items, and how long they are kept. */
import { type Static, Type } from "typebox";

const strict = { additionalProperties: false };
const MAX_DIMS = 8_192;
const MAX_FIELDS = 20;

/** What may stand in the file. */
export const StoreTable = Type.Object(
  {
    index: Type.Optional(
      Type.Object(
        {
          embed: Type.String({ minLength: 1, maxLength: 500 }),
          dims: Type.Integer({ minimum: 1, maximum: MAX_DIMS }),
          fields: Type.Optional(
            Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: MAX_FIELDS }),
          ),
        },
        strict,
      ),
    ),
    default_ttl: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 52_560_000 })),
    refresh_on_read: Type.Optional(Type.Boolean()),
  },
  strict,
);

export type StoreIndex = {
  /** What embeds texts, named as an entrypoint is. */
  embed: string;
  /** Numbers in a vector. */
  dims: number;
  /** Paths into an item's value, of the texts to embed; `$` is the whole value. */
  fields: string[];
};

export type StoreSettings = {
  /** null: items cannot be searched by meaning. */
  index: StoreIndex | null;
  /** Minutes that an item is kept whose put does not say; null: for ever. */
  default_ttl: number | null;
  /** A read begins an item's time anew, where it does not say. */
  refresh_on_read: boolean;
};

/** Fills in what the file leaves out. */
export function storeSettings({
  index,
  default_ttl,
  refresh_on_read,
}: Static<typeof StoreTable>): StoreSettings {
  return {
    index: index === undefined ? null : { ...index, fields: index.fields ?? ["$"] },
    default_ttl: default_ttl ?? null,
    refresh_on_read: refresh_on_read ?? true,
  };
}
