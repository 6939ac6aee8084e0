/** Signs an EIP-1559 transaction. The result has to be read back before it may leave. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import * as ecc from 'tiny-secp256k1'
import type { LeafKey } from '../keys/keyring.js'
import type { UnreadTypeTwo } from './read-back-type-two.js'
import { encodeRlp, encodeRlpList, integerBytes, type RlpItem } from './rlp.js'
import { TYPE_TWO, type TypeTwoTransaction } from './type-two.js'

/** Signs a transaction (RFC 6979, so the same fields always give the same bytes). */
export function signTypeTwo(transaction: TypeTwoTransaction, key: LeafKey): UnreadTypeTwo {
  const items: RlpItem[] = [
    integerBytes(transaction.chainId),
    integerBytes(transaction.nonce),
    integerBytes(transaction.maxPriorityFeePerGas),
    integerBytes(transaction.maxFeePerGas),
    integerBytes(transaction.gas),
    Buffer.from(transaction.to.slice(2), 'hex'),
    integerBytes(transaction.value),
    Buffer.from(transaction.data.slice(2), 'hex'),
    [],
  ]
  const fields = items.map(encodeRlp)
  const digest = keccak_256(Buffer.concat([TYPE_TWO, encodeRlpList(fields)]))
  const { signature, recoveryId } = ecc.signRecoverable(digest, key.privateKey)
  const signatureFields = [
    integerBytes(BigInt(recoveryId)),
    trimmed(signature.subarray(0, 32)),
    trimmed(signature.subarray(32)),
  ].map(encodeRlp)
  const raw = Buffer.concat([TYPE_TWO, encodeRlpList([...fields, ...signatureFields])])
  return {
    family: 'evm',
    raw: `0x${raw.toString('hex')}`,
    hash: `0x${Buffer.from(keccak_256(raw)).toString('hex')}`,
    transaction,
    point: key.point,
  }
}

function trimmed(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length && bytes[start] === 0) start++
  return bytes.subarray(start)
}
