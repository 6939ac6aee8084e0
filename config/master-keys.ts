/** The master keys that a process has. */

import type { Environment } from './load-environment.js'

type Keys = Pick<
  Environment,
  'KEYTURN_MASTER_KEY' | 'KEYTURN_NEXT_MASTER_KEY' | 'KEYTURN_PREVIOUS_MASTER_KEYS'
>

/** Every key that opens; the first one is the one that seals. */
export function masterKeysOf(environment: Keys): readonly [string, ...string[]] {
  const next = environment.KEYTURN_NEXT_MASTER_KEY
  return [
    environment.KEYTURN_MASTER_KEY,
    ...(next === undefined ? [] : [next]),
    ...environment.KEYTURN_PREVIOUS_MASTER_KEYS,
  ]
}

/** The key from which the platform's own key was derived where it is not stored yet: the oldest that this process knows. */
export function oldestMasterKey(environment: Keys): string {
  return environment.KEYTURN_PREVIOUS_MASTER_KEYS.at(-1) ?? environment.KEYTURN_MASTER_KEY
}
