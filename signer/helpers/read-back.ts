/**
 * Reads a signed transaction as a stranger would, before it is stored or leaves: a fault of the memory, of
 * the processor or of a library must not give away a wrong transaction, or a signature that reveals the key.
 */

import { assertNever } from '../../domain/assert-never.js'
import { readBackTypeTwo, type UnreadTypeTwo } from '../evm/read-back-type-two.js'
import { readBackUtxo, type UnreadUtxo } from '../utxo/read-back-utxo.js'

/** A signed transaction that was not read back yet. It holds no secret. */
export type Unread = UnreadTypeTwo | UnreadUtxo

/**
 * Parses signed bytes again, compares every field with what was checked, and verifies each signature.
 *
 * @throws Error when the bytes differ from what was checked.
 */
export function readBack(unread: Unread): void {
  switch (unread.family) {
    case 'evm':
      readBackTypeTwo(unread)
      break
    case 'utxo':
      readBackUtxo(unread)
      break
    default:
      assertNever(unread)
  }
}
