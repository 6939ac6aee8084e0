/** Names the key of each input that is signed. */

import type { LeafKey } from '../keys/keyring.js'

/** Key that an input needs, and the amount that it spends, from its parent. */
export interface InputKey {
  readonly key: LeafKey
  readonly amount: bigint
}

/** Returns the key of an input. @throws Error when there is none. */
export function keyAt(keys: readonly InputKey[], index: number): InputKey {
  const key = keys[index]
  if (!key) throw new Error(`Input ${index} has no key`)
  return key
}
