/** Views are read-only, the schemas' types are not; nobody writes to either. */

export type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
    : T

/** The same value, typed as a schema's output. */
export function mutable<T>(value: T): Mutable<T> {
  return value as Mutable<T>
}
