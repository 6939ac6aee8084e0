/** Checks what a signer returned, before it is stored or broadcast. */

import * as ecc from 'tiny-secp256k1'
import {
  getAddress,
  type Hex,
  hexToBytes,
  isAddress,
  keccak256,
  parseTransaction,
  serializeTransaction,
  type TransactionSerializableEIP1559,
  toHex,
} from 'viem'
import { publicKeyToAddress } from 'viem/accounts'
import { z } from 'zod'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { EvmPayload } from '../../../domain/signing/signer-protocol.js'

/**
 * Half the order of secp256k1 (EIP-2). Above it, the mirrored signature is valid too and has another hash.
 */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

const integer = z
  .string()
  .regex(/^(0|[1-9]\d*)$/)
  .transform(BigInt)
const address = z
  .string()
  .refine((text) => isAddress(text), 'not an address')
  .transform((text) => getAddress(text))
/**
 * Schema of the payload. It is strict, because a missing field would be signed as 0, or as the creation of a
 * contract.
 */
const payloadSchema = z.strictObject({
  family: z.literal('evm'),
  network: z.string(),
  chain_id: z.int().min(1),
  from: address,
  derivation_path: z.string(),
  to: address,
  value: integer,
  data: z.string().regex(/^0x(?:[0-9a-f]{2})*$/),
  nonce: z.int().min(0),
  gas: integer,
  max_fee_per_gas: integer,
  max_priority_fee_per_gas: integer,
})

/**
 * Compares a signed transaction with its payload, field by field: type 2, canonical bytes, no access list,
 * low s, and a signature by `payload.from`.
 *
 * @param signedTransaction - 0x and lower-case hex.
 * @returns The transaction's hash, keccak256 of the bytes (EIP-2718).
 * @throws KeyturnError `VALIDATION_FAILED` that names the first field that differs.
 */
export function verifySigned(
  network: EvmNetwork,
  payload: EvmPayload,
  signedTransaction: string,
): { readonly txid: string } {
  const parsed = payloadSchema.safeParse(payload)
  if (!parsed.success) throw differs('payload', z.prettifyError(parsed.error))
  const expected = parsed.data
  if (expected.network !== network.name) throw differs('network')
  if (expected.chain_id !== network.chainId) throw differs('chain_id')

  if (!/^0x02(?:[0-9a-f]{2})+$/.test(signedTransaction)) throw differs('type')
  const bytes = signedTransaction as `0x02${string}`
  const signed = parse(bytes)
  // Integers that are 0 are absent after parsing.
  if (signed.chainId !== expected.chain_id) throw differs('chain_id')
  if ((signed.nonce ?? 0) !== expected.nonce) throw differs('nonce')
  if (!signed.to || getAddress(signed.to) !== expected.to) throw differs('to')
  if ((signed.value ?? 0n) !== expected.value) throw differs('value')
  if ((signed.data ?? '0x') !== expected.data) throw differs('data')
  if ((signed.gas ?? 0n) !== expected.gas) throw differs('gas')
  if ((signed.maxFeePerGas ?? 0n) !== expected.max_fee_per_gas) throw differs('max_fee_per_gas')
  if ((signed.maxPriorityFeePerGas ?? 0n) !== expected.max_priority_fee_per_gas) {
    throw differs('max_priority_fee_per_gas')
  }
  if ((signed.accessList ?? []).length > 0) throw differs('access_list')

  const { r, s, yParity } = signed
  if (!r || !s || (yParity !== 0 && yParity !== 1)) throw differs('signature')
  if (BigInt(s) > HALF_ORDER) throw differs('signature', 's is not low')
  const unsigned: TransactionSerializableEIP1559 = {
    type: 'eip1559',
    chainId: expected.chain_id,
    nonce: expected.nonce,
    to: expected.to,
    value: expected.value,
    data: expected.data as Hex,
    gas: expected.gas,
    maxFeePerGas: expected.max_fee_per_gas,
    maxPriorityFeePerGas: expected.max_priority_fee_per_gas,
  }
  // The bytes are made again from the payload: bytes with the same meaning in another form (leading zeros)
  // differ here.
  if (serializeTransaction(unsigned, { r, s, yParity }) !== bytes) throw differs('encoding')
  if (recoverSender(keccak256(serializeTransaction(unsigned)), r, s, yParity) !== expected.from) {
    throw differs('from')
  }
  return { txid: keccak256(bytes) }
}

function parse(bytes: `0x02${string}`) {
  try {
    return parseTransaction(bytes)
  } catch {
    throw differs('encoding')
  }
}

function recoverSender(hash: Hex, r: Hex, s: Hex, yParity: 0 | 1): string | null {
  try {
    const signature = new Uint8Array([...to32Bytes(r), ...to32Bytes(s)])
    // The key is uncompressed: an address is the hash of the whole point, and viem hashes what it gets.
    const key = ecc.recover(hexToBytes(hash), signature, yParity, false)
    return key ? publicKeyToAddress(toHex(key)) : null
  } catch {
    return null
  }
}

function to32Bytes(value: Hex): Uint8Array {
  return hexToBytes(value, { size: 32 })
}

function differs(field: string, reason = 'it differs from what was to be signed'): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `The signed transaction is refused: ${field}: ${reason}`, {
    details: { field },
  })
}
