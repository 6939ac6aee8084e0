/** Selects the master keys of a process. */

import type { Environment } from './load-environment.js'

type Keys = Pick<
  Environment,
  'KEYTURN_MASTER_KEY' | 'KEYTURN_NEXT_MASTER_KEY' | 'KEYTURN_PREVIOUS_MASTER_KEYS'
>

/** Returns every key that opens secrets. The first one also seals them. */
export function masterKeysOf(environment: Keys): readonly [string, ...string[]] {
  const next = environment.KEYTURN_NEXT_MASTER_KEY
  return [
    environment.KEYTURN_MASTER_KEY,
    ...(next === undefined ? [] : [next]),
    ...environment.KEYTURN_PREVIOUS_MASTER_KEYS,
  ]
}

/**
 * Returns the oldest master key that this process knows. A platform key that is not stored was derived from
 * it.
 */
export function oldestMasterKey(environment: Keys): string {
  return environment.KEYTURN_PREVIOUS_MASTER_KEYS.at(-1) ?? environment.KEYTURN_MASTER_KEY
}
