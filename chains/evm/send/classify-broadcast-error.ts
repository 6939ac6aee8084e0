/** Classifies a node's refusal of a raw transaction. */

import type { RpcError } from '../rpc/rpc-error.js'

/**
 * Meaning of a refusal. `nonce_too_low` is either the own transaction, already mined, or a conflict; the
 * caller checks.
 */
export type BroadcastRefusal =
  | { readonly kind: 'already_known' }
  | { readonly kind: 'nonce_too_low' }
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

const ALREADY_KNOWN =
  /already known|already imported|already exists|already in (the )?(mem)?pool|known transaction|AlreadyKnown|duplicate transaction/i
const NONCE_TOO_LOW = /nonce (is )?too low|OldNonce|nonce has already been used|nonce already used/i
/**
 * Plain rejections of Geth, Nethermind, Besu, Erigon, Reth and Anvil: the node examined the transaction and
 * refuses it.
 */
const REJECTED: readonly (readonly [RegExp, string])[] = [
  [/replacement|ReplacementNotAllowed|FeeTooLowToCompete/i, 'replacement transaction underpriced'],
  [/underpriced|FeeTooLow|gas price.*too low|minimum.*(gas price|tip)/i, 'transaction underpriced'],
  [/insufficient (funds|balance)|InsufficientFunds|upfront.*(cost|balance)/i, 'insufficient funds'],
  [/intrinsic gas too low|gas (limit )?too low|IntrinsicGas/i, 'intrinsic gas too low'],
  [/max fee per gas less than|fee cap less than|max ?fee.*(below|lower|less)/i, 'max fee below the base fee'],
  [/priority fee.*(above|higher|greater)|tip.*(above|higher)/i, 'priority fee above max fee'],
  [
    /exceeds? (the )?block gas limit|gas.?limit.*(exceed|too high|>)|GasLimitExceeded/i,
    'gas above the block gas limit',
  ],
  [/exceeds the configured cap|fee cap exceed/i, 'fee above the cap of the node'],
  [/chain.?id/i, 'wrong chain id'],
  [/nonce too high|nonce.*gap|NonceGap/i, 'nonce too high'],
  [/invalid (sender|signature)|InvalidSignature/i, 'invalid signature'],
  [
    /rlp|decode|malformed|typed transaction too short|transaction type not supported|oversized data/i,
    'malformed transaction',
  ],
]

/**
 * Classifies a refusal. One that is not known to be a plain rejection is `unknown`, and the same bytes are
 * sent again.
 */
export function classifyBroadcastError(error: RpcError): BroadcastRefusal {
  const { message } = error
  if (ALREADY_KNOWN.test(message)) return { kind: 'already_known' }
  if (NONCE_TOO_LOW.test(message)) return { kind: 'nonce_too_low' }
  const rejection = REJECTED.find(([pattern]) => pattern.test(message))
  if (rejection) return { kind: 'rejected', reason: rejection[1] }
  return { kind: 'unknown', reason: message.slice(0, 200) }
}
