/** Writes a set of statuses as the list that stands after `IN` in SQL. */

import type { Queryable } from './connect.js'

/** Every name, and whether it is in the set; `domain/deposits/deposit-sets.ts` and `domain/payouts/stage-sets.ts` have them. */
type NameSet = Readonly<Record<string, boolean>>

/** The SQL text of each set. It is kept, because the driver remembers every template that it is given. */
const lists = new WeakMap<NameSet, TemplateStringsArray>()

/**
 * Returns the members of a set as an SQL list of literals, for `status IN ${members(sql, RESERVED_DEPOSITS)}`.
 *
 * They are literals and no parameters: a plan for any parameters cannot use a partial index whose predicate names
 * the statuses (`deposits_reserved`, `deposits_open`, `withdrawals_under_way` and others).
 *
 * @throws Error when a name is anything but lower-case letters and `_`.
 */
export function members(sql: Queryable, set: NameSet) {
  const known = lists.get(set)
  if (known) return sql(known)
  const list = toTemplate(set)
  lists.set(set, list)
  return sql(list)
}

function toTemplate(set: NameSet): TemplateStringsArray {
  const names = Object.keys(set).filter((name) => set[name])
  const wrong = names.find((name) => !/^[a-z_]+$/.test(name))
  if (names.length === 0 || wrong !== undefined) throw new Error(`No SQL list of: ${Object.keys(set)}`)
  const text = `(${names.map((name) => `'${name}'`).join(', ')})`
  return Object.assign([text], { raw: [text] })
}
